"""The parts of the README that are made from the program. ``python -m tests.readme`` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from provisioner.core.abilities import on_wss_only, target_as_json
from provisioner.core.codec import NAMES, audio
from provisioner.core.reference import Setting, settings
from provisioner.core.target import Target
from provisioner.edge.catalog import CatalogReader, shipped

README = Path(__file__).parents[1] / "README.md"
_COLUMNS = (
    "Phone", "Target", "Transports", "Credential", "Account with wss only", "Encryption", "Digits", "Codecs", "Files",
)  # fmt: skip
_FORMS = {"ha1": "HA1", "password": "password"}


def current(text: str) -> str:
    """``text`` with every made part as it should be."""
    catalog = CatalogReader([shipped()]).read()
    parts = {"settings": settings_table(), "targets": abilities_table(catalog.targets.values())}
    for name, table in parts.items():
        part = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
        assert part.search(text), name
        text = part.sub(lambda found, table=table: f"{found[1]}{table.rstrip()}\n{found[2]}", text)  # type: ignore[misc]
    return text


def settings_table() -> str:
    """Markdown: the name of each setting, what it means, its default, and what a change of it costs."""
    head = ["| Setting | Meaning | Default | A change |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_setting_row, settings())]) + "\n"


def _setting_row(setting: Setting) -> str:
    default = setting.default if setting.default in ("", "none") else f"`{setting.default}`"
    return f"| `{setting.name}` | {_cell(setting.meaning)} | {_cell(default)} | {setting.cost} |"


def abilities_table(targets: Iterable[Target]) -> str:
    """One row a phone, in Markdown, by name; without a line end at the end."""
    rows = [_target_row(target) for target in sorted(targets, key=lambda target: target.name)]
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _target_row(target: Target) -> tuple[str, ...]:
    return (
        _cell(target.title),
        f"`{_cell(target.name)}`",
        _words(target.transports),
        ("and " if target.every_credential else "or ").join(f"{_FORMS[form]} " for form in target.credential).strip(),
        on_wss_only(target),
        _words(target.media_encryption),
        _words(target.dtmf),
        _codecs(target),
        ", ".join(f"`~/{_cell(file['path'])}`" for file in target_as_json(target)["files"]),
    )


def _words(words: Iterable[object]) -> str:
    return ", ".join(map(str, words)) or "none"


def _codecs(target: Target) -> str:
    everything = set(audio(NAMES.values())) <= set(target.codecs)
    return "every one" if everything else _words(audio(target.codecs))


def _cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    README.write_text(current(README.read_text()))
