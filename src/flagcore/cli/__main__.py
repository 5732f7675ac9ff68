"""``python -m flagcore.cli`` is the command ``flagcore``."""

import sys

from flagcore.cli import main

sys.exit(main())
