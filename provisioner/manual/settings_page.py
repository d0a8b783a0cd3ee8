"""softphone-provisioner.yaml(5), from the schema."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.core.reference import Setting, settings
from provisioner.manual.roff import bold, example, item, plain, prose, title

_WHAT = """
What the service does is said in YAML: `/etc/softphone-provisioner/provisioner.yaml` names the platform, and every file
`/etc/softphone-provisioner/agents.d/*.yaml` names agents. A change is taken over when it is saved. When there is a
mistake in it, nothing of it is used, and what was in force stays so.

Times are numbers with a unit: 200ms, 10s, 5m, 1h, 2d. An agent's own values win over `defaults` of its file, those over
`defaults` of provisioner.yaml.

A password may stand only in a file that its owner alone can read, or with mode 0640 and the group
`softphone-provisioner` as long as nobody is a member of it. In `/etc/softphone-provisioner` new files get this group by
themselves.
"""
_MAIN = """
# /etc/softphone-provisioner/provisioner.yaml
platform:
  url: https://acme.ucontactcloud.com
"""
_AGENTS = """
# /etc/softphone-provisioner/agents.d/floor-2.yaml
agents:
- login: vcisneros
  password: {file: /etc/softphone-provisioner/secrets/vcisneros}
  workstations: [ws-1*]
  targets: [jssip]
"""
_COSTS = {"logs in": "A change logs agents in again.", "renders": "", "nothing": "", "": ""}


def settings_page(version: str) -> str:
    """The page of all settings, as roff."""
    return "\n".join(_page(version)) + "\n"


def _page(version: str) -> Iterator[str]:
    yield title("SOFTPHONE\\-PROVISIONER.YAML", 5, version)
    yield from (".SH NAME", plain("softphone-provisioner.yaml - settings of the softphone provisioner"), ".SH SYNOPSIS")
    yield from (bold("/etc/softphone-provisioner/provisioner.yaml"), ".br")
    yield bold("/etc/softphone-provisioner/agents.d/*.yaml")
    yield ".SH DESCRIPTION"
    yield from prose(_WHAT)
    yield ".SH SETTINGS"
    for setting in settings():
        yield from item(bold(setting.name), plain(_said(setting)))
    yield ".SH EXAMPLE"
    yield from example(_MAIN)
    yield ".PP"
    yield from example(_AGENTS)
    yield ".PP"
    yield plain("A sample with every setting is in `/usr/share/doc/softphone-provisioner/examples`.")
    yield from (".SH SEE ALSO", f"{bold('provisioner')}(1)")


def _said(setting: Setting) -> str:
    default = f"Default: {setting.default}." if setting.default else ""
    return " ".join(filter(None, (setting.meaning, default, _COSTS[setting.cost])))
