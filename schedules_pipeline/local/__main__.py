"""``python -m schedules_pipeline.local``: the demonstration."""

import sys

from schedules_pipeline.local.demonstration import main

if __name__ == "__main__":
    sys.exit(main())
