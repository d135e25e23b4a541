"""``python -m schedules_client`` is the command ``schedules-client``."""

from schedules_client.cli import main

raise SystemExit(main())
