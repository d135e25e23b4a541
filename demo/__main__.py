"""``python -m demo``: run the demonstration."""

import sys

from demo.command_line import main

if __name__ == "__main__":
    sys.exit(main())
