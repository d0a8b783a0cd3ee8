"""Every setting with what there is to say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from provisioner.core.schema import SETTINGS, default_of, effects, keys, untold_choices
from provisioner.core.schema_words import Schema

_COSTS = {"log-in": "logs in", "render": "renders", "none": "nothing"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``name`` is dotted, ``default`` as in YAML or "", ``cost`` what a change of it does ("" for a
    section)."""

    name: str
    meaning: str
    default: str
    cost: str


def settings() -> Iterator[Setting]:
    """Every setting, in the order of the schema; those of ``defaults``, which are an agent's, once only."""
    costs = effects()
    for name, part in keys():
        if name.startswith("defaults."):
            continue
        is_section = "properties" in part or name in ("agents", "platform.turn")
        yield Setting(name, _meaning(name, part), default_of(part), "" if is_section else _COSTS[costs[name]])


def _meaning(name: str, part: Schema) -> str:
    says = [part["description"]]
    if values := untold_choices(part):
        says.append(f"One of {', '.join(f'`{value}`' for value in values)}.")
    if "items" in part and "enum" in part["items"]:
        says.append(part["items"]["description"])
    if name == "defaults":
        says.append("Its keys are those of `agents[]`, without `login`.")
    if name in _REQUIRED:
        says.append("Required.")
    return " ".join(says)


def _required() -> Iterator[str]:
    platform = SETTINGS["properties"]["platform"]
    yield from (f"platform.{name}" for name in platform["required"])
    yield from (f"platform.turn[].{name}" for name in platform["properties"]["turn"]["items"]["required"])
    yield from (f"agents[].{name}" for name in SETTINGS["definitions"]["agent"]["required"])
    yield from (f"agents[].targets[].{name}" for name in SETTINGS["definitions"]["target"]["required"])


_REQUIRED = frozenset(_required())
