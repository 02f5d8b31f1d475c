"""``python -m msadg``: the command."""

import sys

from msadg.cli import main

sys.exit(main())
