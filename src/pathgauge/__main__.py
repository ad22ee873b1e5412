"""`python -m pathgauge`."""

import sys

from pathgauge.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
