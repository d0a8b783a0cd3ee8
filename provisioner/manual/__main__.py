"""``python -m provisioner.manual DIR`` writes all pages and completions into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from provisioner.manual import pages

if len(sys.argv) != 2:
    sys.exit(__doc__)
pages.write(Path(sys.argv[1]))
