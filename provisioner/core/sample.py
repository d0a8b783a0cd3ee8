"""The commented sample that IT starts from, made of the schema: every setting, what it means, and its default."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

import yaml

from provisioner.core.schema import SETTINGS, default_of, resolve, untold_choices
from provisioner.core.schema_words import Schema

MAIN = "provisioner.yaml"
EXAMPLE = "agents.d/example.yaml"
_WIDTH = 100
_ALWAYS_SET = ("password", "targets")

_HOW_TO_READ = """\
A line that begins with # and a blank explains what follows. A line that begins with # alone is a setting that is not
in force: remove the # and it is. Such a line shows the default, or an example where there is none.
"""
_HOW_TO_COMPLETE = """\
Editors with yaml-language-server (VS Code, Neovim, Emacs, ...) complete and check while you type, once the schema is
there: `provisioner schema > schema.json` in /etc/softphone-provisioner.
"""
_MAIN_HEAD = """\
softphone-provisioner: the platform, and what all agents of all files share. The agents themselves are in agents.d/.
"""
_AGENTS_HEAD = """\
softphone-provisioner: agents. Every file agents.d/*.yaml is read, in the order of the names; cut them as you like,
for example one for each team. The same files can be on every workstation: each serves its own agents only.
"""
_MORE_AGENTS = """\
Most agents need one line. A password that stands here is accepted only while this file can be read by its owner and
the service alone (chmod 600, or 640 with the group softphone-provisioner); one that is kept elsewhere is safer:
"""
_EDITED = "After an edit, `provisioner check` tells every mistake. The running service takes the edit over by itself."


def texts() -> Mapping[str, str]:
    """The files of the sample by their names in the configuration's folder."""
    return {MAIN: _text(_main()), EXAMPLE: _text(_example())}


def _main() -> Iterator[str]:
    yield from _head(_MAIN_HEAD, "schema.json")
    sections = {name: part for name, part in SETTINGS["properties"].items() if name != "agents"}
    for name, part in sections.items():
        yield ""
        yield from _setting(name, part, "", in_force=name == "platform")


def _example() -> Iterator[str]:
    yield from _head(_AGENTS_HEAD, "../schema.json")
    yield ""
    yield from _prose("What the agents of this file share; it goes over the `defaults` of provisioner.yaml.", "")
    yield "#defaults: {workstations: [ws-1*, reception]}"
    yield ""
    yield "agents:"
    agent = SETTINGS["definitions"]["agent"]["properties"]
    yield from _prose(_meaning(agent["login"]), "  ")
    yield f"  - login: {_flow(agent['login']['x-sample'])}"
    for name, part in agent.items():
        if name == "targets":
            yield ""
            yield from _targets(part)
        elif name != "login":
            yield ""
            yield from _setting(name, part, "    ", in_force=name in _ALWAYS_SET)
    yield ""
    yield from _prose(_MORE_AGENTS, "  ")
    for line in _more_agents():
        yield f"  #- {line}"


def _more_agents() -> Iterator[str]:
    sources = resolve(SETTINGS["definitions"]["agent"]["properties"]["password"])["oneOf"][1]["properties"]
    yield _flow({"login": "lmendez", "password": "what they type"})
    for login, names in {"kortega": ["env"], "mrivas": ["credential"], "psilva": ["command", "timeout"]}.items():
        line = _flow({"login": login, "password": {name: _shown(sources[name]) for name in names}})
        yield line.replace("vcisneros", login).replace("VCISNEROS", login.upper())


def _targets(part: Schema) -> Iterator[str]:
    yield from _prose(_meaning(part), "    ")
    yield "    targets:"
    for name in part["x-sample"]:
        yield f"      - {name}"
    target = SETTINGS["definitions"]["target"]["properties"]
    yield from _prose(_meaning(target["target"]), "      ")
    yield f"      - target: {_shown(target['target'])}"
    for name in ("path", "reload", "options"):
        yield from _setting(name, target[name], "        ", in_force=False)


def _head(text: str, schema: str) -> Iterator[str]:
    for part in (text, _HOW_TO_READ, _EDITED, _HOW_TO_COMPLETE):
        yield from _prose(part, "")
        yield "#"
    yield f"# yaml-language-server: $schema={schema}"


def _setting(name: str, part: Schema, indent: str, *, in_force: bool) -> Iterator[str]:
    """One setting with what there is to say of it, and all that is below it."""
    whole = resolve(part)
    yield from _prose(_meaning(whole), indent)
    yield from _forms(whole, indent)
    if "properties" in whole:
        yield f"{indent}{name}:"
        yield from _settings(whole, f"{indent}  ")
    else:
        yield f"{indent}{'' if in_force else '#'}{name}: {_flow(_shown(whole))}"


def _settings(mapping: Schema, indent: str) -> Iterator[str]:
    for number, (name, part) in enumerate(mapping["properties"].items()):
        if number:
            yield ""
        yield from _setting(name, part, indent, in_force=name in mapping.get("required", ()))


def _forms(part: Schema, indent: str) -> Iterator[str]:
    """The keys of a value that is written in one line, as a table."""
    forms = [resolve(form) for form in part.get("oneOf", [])] or [resolve(part.get("items", {}))]
    keys = [(key, resolve(inner)) for form in forms for key, inner in form.get("properties", {}).items()]
    if not keys:
        return
    if "oneOf" in part:
        keys = [("(text)", forms[0]), *keys]
    widest = max(len(key) for key, _ in keys) + 2
    for key, inner in keys:
        first = f"{indent}#   {key:{widest}}"
        rest = f"{indent}#   {'':{widest}}"
        yield from textwrap.wrap(_meaning(inner), _WIDTH, initial_indent=first, subsequent_indent=rest)


def _meaning(part: Schema) -> str:
    """The description, the words to choose from, and the default."""
    whole = resolve(part)
    says = [whole["description"]]
    if values := untold_choices(whole):
        says.append(f"One of {', '.join(values)}.")
    items = whole.get("items", {})
    if "enum" in items:
        says.append(items["description"])
    default = default_of(whole)
    if default:
        says.append(f"Default: {default}.")
    return " ".join(says)


def _shown(part: Schema) -> object:
    """The value that the sample shows: an example, or the default."""
    whole = resolve(part)
    items = resolve(whole.get("items", {}))
    if "x-sample" not in whole and "properties" in items:
        return [{key: _shown(inner) for key, inner in items["properties"].items()}]
    return whole.get("x-sample", whole.get("default"))


def _flow(value: object) -> str:
    """``value`` in one line of YAML."""
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return dumped.removesuffix("\n").removesuffix("\n...")


def _prose(text: str, indent: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
