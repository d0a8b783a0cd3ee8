"""What each target can do: as JSON for programs and as a table for people, from the manifests alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from provisioner.core.account import Transport
from provisioner.core.codec import NAMES, audio
from provisioner.core.relay_way import call_lacks
from provisioner.core.target import RELAY_ABILITIES, Target

_COLUMNS = (
    "Phone",
    "Target",
    "Transports",
    "Credential",
    "Account with wss only",
    "Encryption",
    "Digits",
    "Codecs",
    "Files",
)
_FORMS = {"ha1": "HA1", "password": "password"}


def target_as_json(target: Target) -> dict[str, Any]:
    """All that a manifest promises, in canonical words; ``files`` are paths below the home with their modes."""
    return {
        "name": target.name,
        "title": target.title,
        "transports": [str(word) for word in target.transports],
        "wss_only": on_wss_only(target),
        "relay": [word for word in RELAY_ABILITIES if word in target.relay],
        "credential": list(target.credential),
        "media_encryption": [str(word) for word in target.media_encryption],
        "dtmf": [str(word) for word in target.dtmf],
        "codecs": list(target.codecs),
        "options": {
            name: {"default": option.default, "values": list(option.values), "description": option.description}
            for name, option in target.options.items()
        },
        "files": [
            {"path": _path(target, spec.name), "mode": f"{spec.mode:04o}", "once": spec.once} for spec in target.files
        ],
        "folders": list(target.folders),
        "tried_with": list(target.tried_with),
    }


def on_wss_only(target: Target) -> str:
    """How ``target`` comes to an account that the platform serves over wss alone."""
    if Transport.WSS in target.transports:
        return "by itself"
    if "route" not in target.relay:
        return "no"
    return "registers through the relay, cannot call" if call_lacks(target) else "through the relay"


def abilities_table(targets: Iterable[Target]) -> str:
    """One row a phone, in Markdown, by name; without a line end at the end."""
    rows = [_row(target) for target in sorted(targets, key=lambda target: target.name)]
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(target: Target) -> tuple[str, ...]:
    return (
        _cell(target.title),
        f"`{_cell(target.name)}`",
        _words(target.transports),
        ("and " if target.every_credential else "or ").join(f"{_FORMS[form]} " for form in target.credential).strip(),
        on_wss_only(target),
        _words(target.media_encryption),
        _words(target.dtmf),
        _codecs(target),
        ", ".join(f"`~/{_cell(_path(target, spec.name))}`" for spec in target.files),
    )


def _words(words: Iterable[object]) -> str:
    return ", ".join(map(str, words)) or "none"


def _codecs(target: Target) -> str:
    everything = set(audio(NAMES.values())) <= set(target.codecs)
    return "every one" if everything else _words(audio(target.codecs))


def _path(target: Target, name: str) -> str:
    return str(PurePosixPath(target.folder) / name)


def _cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
