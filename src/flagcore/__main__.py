"""``python -m flagcore`` is the command ``flagcore``."""

import sys

from flagcore.cli import command

sys.exit(command())
