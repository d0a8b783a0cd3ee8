"""``python -m provisioner`` is the command ``provisioner``."""

import sys

from provisioner.cli import main

sys.exit(main())
