"""``python -m demo``: the demonstration."""

import sys

from demo.demonstration import main

if __name__ == "__main__":
    sys.exit(main())
