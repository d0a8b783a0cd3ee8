"""What each target can do, from the manifests alone."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from provisioner.core.account import Transport
from provisioner.core.relay_way import call_lacks
from provisioner.core.target import RELAY_ABILITIES, Target


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


def _path(target: Target, name: str) -> str:
    return str(PurePosixPath(target.folder) / name)
