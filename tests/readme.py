"""The parts of the README that are made from the program. ``python -m tests.readme`` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from provisioner.core.abilities import abilities_table
from provisioner.core.reference import settings_table
from provisioner.edge.catalog import CatalogReader, shipped

README = Path(__file__).parents[1] / "README.md"


def current(text: str) -> str:
    """``text`` with every made part as it should be."""
    catalog = CatalogReader([shipped()]).read()
    parts = {"settings": settings_table(), "targets": abilities_table(catalog.targets.values())}
    for name, table in parts.items():
        part = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
        assert part.search(text), name
        text = part.sub(lambda found, table=table: f"{found[1]}{table.rstrip()}\n{found[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(current(README.read_text()))
