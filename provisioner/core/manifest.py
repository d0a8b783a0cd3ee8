"""The manifest of a target: its schema, and what is wrong with one beyond that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.core.account import DtmfMode, MediaEncryption, Transport
from provisioner.core.codec import NAMES
from provisioner.core.document import Document
from provisioner.core.escape import as_is
from provisioner.core.formats import FORMATS
from provisioner.core.problem import Problem, ProvisionerError
from provisioner.core.schema_words import BELOW, FILLED_IN, Schema
from provisioner.core.spelling import did_you_mean
from provisioner.core.target import RELAY_ABILITIES, VALUES, FileSpec, Limit, Option, ShippedReload, Target
from provisioner.core.validate import Checker

_WORD = {"oneOf": [{"type": ["string", "integer"]},
                   {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}]}  # fmt: skip
_TEXT = {"type": "string", "minLength": 1}
_RELATIVE = {"type": "string", "pattern": BELOW}


def _words(names: list[str]) -> Schema:
    properties = dict.fromkeys(names, _WORD)
    return {"type": "object", "additionalProperties": False, "minProperties": 1, "properties": properties}


_LIMIT = {
    "type": "object", "additionalProperties": False, "minProperties": 1,
    "properties": {"refuse": _TEXT, "longest": {"type": "integer", "minimum": 1}},
}  # fmt: skip


_COMMAND = {"type": "array", "minItems": 1, "items": _TEXT | {"pattern": FILLED_IN}}

MANIFEST: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "softphone-provisioner target manifest",
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "folder", "credential", "transports", "codecs", "dtmf", "media_encryption", "files"],
    "properties": {
        "title": _TEXT | {"description": "The product's name."},
        "folder": _RELATIVE | {"description": "Folder of the files, below the home."},
        "folders": {"type": "array", "items": _RELATIVE, "description": "More folders that must exist."},
        "credential": {"type": "array", "minItems": 1, "items": {"enum": ["ha1", "password"], "type": "string"},
                       "description": "What the phone takes, best first."},
        "every_credential": {"type": "boolean", "description": "The phone is told all that is known."},
        "relay": {"type": "array", "uniqueItems": True, "items": {"enum": list(RELAY_ABILITIES), "type": "string"},
                  "description": "What the phone can do of what the way through the relay needs."},
        "transports": _words([str(word) for word in Transport]),
        "dtmf": _words([str(word) for word in DtmfMode]),
        "media_encryption": _words([str(word) for word in MediaEncryption]),
        "codecs": _words(sorted(NAMES.values())),
        "limits": {
            "type": "object",
            "description": "What the phone cannot hold, by name of the value.",
            "additionalProperties": False,
            "properties": dict.fromkeys(VALUES, _LIMIT),
        },
        "options": {
            "type": "object",
            "additionalProperties": {
                "type": "object", "additionalProperties": False, "required": ["default", "description"],
                "properties": {"default": {"type": "string"}, "description": _TEXT,
                               "values": {"type": "array", "items": {"type": "string"}}},
            },
        },
        "files": {
            "type": "array", "minItems": 1,
            "items": {
                "type": "object", "additionalProperties": False, "required": ["name", "template", "format"],
                "properties": {
                    "name": _RELATIVE, "template": _TEXT,
                    "format": {"type": "string", "enum": sorted(FORMATS)},
                    "mode": {"type": "string", "enum": ["0600", "0640", "0644"]},
                    "once": {"type": "boolean", "description": "A seed: written when absent, the phone's own after."},
                    "longest_line": {"type": "integer", "minimum": 40},
                    "characters": {"type": "object", "additionalProperties": {"type": "string"},
                                   "propertyNames": {"minLength": 1, "maxLength": 1},
                                   "description": "How single characters of values are written."},
                    "refuse": _TEXT | {"description": "Characters that no value in this file can hold."},
                },
            },
        },
        "reload": {
            "type": "object",
            "description": "How the phone is told that its files changed, where the YAML says `reload: shipped`.",
            "additionalProperties": False, "required": ["command"],
            "properties": {
                "command": _COMMAND | {"description": "`{folder}`, `{home}`, `{user}` and `{login}` are replaced."},
                "running_command": _COMMAND | {"description": "Exit code 1: the phone does not run."},
                "busy_command": _COMMAND | {"description": "Exit code 0: the phone is in a call."},
            },
        },
        "tried_with": {"type": "array", "items": _TEXT, "description": "Versions that were seen to work."},
    },
}  # fmt: skip

CHECKER = Checker(MANIFEST)


def target_from(name: str, manifest: Document, sources: Mapping[str, str]) -> Target:
    """The target ``name`` from its manifest and the texts of its templates by file name.

    Raises ProvisionerError with every mistake of the manifest, and for each template that is missing.
    """
    problems = list(CHECKER.mistakes(manifest))
    value: Any = manifest.value
    if not problems and not isinstance(value, dict):
        problems.append(Problem(manifest.place(), "the manifest is empty", "see `Add a target` in the README"))
    if not problems:
        problems += [
            *_missing_templates(manifest, value, sources),
            *_doubled_files(manifest, value),
            *_escaped_twice(manifest, value),
            *_unescaped_escapes(manifest, value),
            *_wrong_defaults(manifest, value),
        ]
    if problems:
        raise ProvisionerError(problems)
    return Target(
        name=name,
        title=value["title"],
        folder=value["folder"],
        folders=tuple(value.get("folders", ())),
        credential=tuple(value["credential"]),
        transports={Transport(key): word for key, word in value["transports"].items()},
        dtmf={DtmfMode(key): word for key, word in value["dtmf"].items()},
        media_encryption={MediaEncryption(key): word for key, word in value["media_encryption"].items()},
        codecs=value["codecs"],
        limits={key: Limit(**limit) for key, limit in value.get("limits", {}).items()},
        options={key: _option(option) for key, option in value.get("options", {}).items()},
        files=tuple(_file(spec, sources) for spec in value["files"]),
        tried_with=tuple(value.get("tried_with", ())),
        every_credential=value.get("every_credential", False),
        relay=frozenset(value.get("relay", ())),
        reload=_reload(value["reload"]) if "reload" in value else None,
    )


def _missing_templates(manifest: Document, value: Any, sources: Mapping[str, str]) -> list[Problem]:
    missing = [
        (index, spec["template"]) for index, spec in enumerate(value["files"]) if spec["template"] not in sources
    ]
    there = [name for name in sources if name.endswith(".j2")]
    return [
        Problem(
            manifest.place(("files", index, "template")),
            f"there is no `{name}` here",
            did_you_mean(name, there) or "add the file; its name ends in `.j2`",
        )
        for index, name in missing
    ]


def _escaped_twice(manifest: Document, value: Any) -> list[Problem]:
    return [
        Problem(
            manifest.place(("files", index, word), key=True),
            f"`{word}` is for formats without an escaping of their own, and `{spec['format']}` has one",
            "remove it; what the phone itself cannot hold is a matter of `limits:`",
        )
        for index, spec in enumerate(value["files"])
        for word in ("characters", "refuse")
        if word in spec and FORMATS[spec["format"]].escape is not as_is
    ]


def _unescaped_escapes(manifest: Document, value: Any) -> list[Problem]:
    """A backslash before quotes, where backslashes stay as they are, lets a value that holds both go on behind them."""
    return [
        Problem(
            manifest.place(("files", index, "characters", character)),
            f"`{written}` begins with `{written[0]}`, which `characters` leaves as it is",
            f"say there too how `{written[0]}` is written",
        )
        for index, spec in enumerate(value["files"])
        for character, written in spec.get("characters", {}).items()
        if written and written[0] not in spec["characters"]
    ]


def _doubled_files(manifest: Document, value: Any) -> list[Problem]:
    names = [spec["name"] for spec in value["files"]]
    return [
        Problem(manifest.place(("files", index, "name")), f"`{name}` is written twice", "give each file its own name")
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def _wrong_defaults(manifest: Document, value: Any) -> list[Problem]:
    return [
        Problem(
            manifest.place(("options", name, "default")),
            f"the default of `{name}` is none of its values",
            f"one of: {', '.join(option['values'])}",
        )
        for name, option in value.get("options", {}).items()
        if "values" in option and option["default"] not in option["values"]
    ]


def _reload(value: Mapping[str, list[str]]) -> ShippedReload:
    return ShippedReload(**{name: tuple(words) for name, words in value.items()})


def _option(value: Mapping[str, Any]) -> Option:
    return Option(value["default"], value["description"], tuple(value.get("values", ())))


def _file(spec: Mapping[str, Any], sources: Mapping[str, str]) -> FileSpec:
    return FileSpec(
        name=spec["name"],
        template=spec["template"],
        source=sources[spec["template"]],
        format=spec["format"],
        mode=int(spec.get("mode", "0600"), 8),
        once=spec.get("once", False),
        longest_line=spec.get("longest_line", 0),
        characters=tuple(spec.get("characters", {}).items()),
        refuse=spec.get("refuse", ""),
    )
