"""The tables of the README."""

from __future__ import annotations

from dataclasses import replace

from provisioner.core.schema import default_of, effects, keys
from tests.readme import abilities_table, settings_table
from tests.targets.stage import catalog, target

ROWS = {line.split("|")[1].strip(" `"): line for line in settings_table().split("\n")[2:-1]}


def test_every_setting_has_one_row():
    assert list(ROWS) == [name for name, _ in keys() if not name.startswith("defaults.")]
    assert len(ROWS) == len(settings_table().split("\n")) - 3


def test_every_row_has_four_cells():
    assert all(line.replace("\\|", "").count("|") == 5 for line in settings_table().rstrip("\n").split("\n"))


def test_a_row_says_what_the_schema_says():
    for name, part in keys():
        if name in ROWS:
            assert part["description"].replace("|", "\\|") in ROWS[name]
            assert default_of(part) in ROWS[name]


def test_a_row_says_what_a_change_costs():
    costs = {"log-in": "logs in", "render": "renders", "none": "nothing"}
    for name, part in keys():
        if name in ROWS and "properties" not in part and name not in ("agents", "platform.turn"):
            assert ROWS[name].endswith(f"| {costs[effects()[name]]} |"), name


def test_required_settings_are_called_so():
    required = {name for name, row in ROWS.items() if "Required." in row}
    assert required == {
        "platform.url", "platform.turn[].server", "platform.turn[].user", "platform.turn[].password",
        "agents[].login", "agents[].targets[].target",
    }  # fmt: skip


def test_the_table_has_one_row_a_phone_in_order():
    head, rule, *rows = abilities_table(catalog().targets.values()).split("\n")
    assert {line.count("|") for line in (head, rule, *rows)} == {10}
    assert [line.split("`")[1] for line in rows] == sorted(catalog().targets)


def test_a_row_says_what_the_phone_can_do():
    rows = abilities_table([target("twinkle"), target("json")]).split("\n")[2:]
    assert rows[1] == (
        "| Twinkle (1.10) | `twinkle` | udp, tcp | password | registers through the relay, cannot call | none | "
        "rfc4733, info, inband, auto | "
        "pcma, pcmu, gsm, g729, ilbc, g726-32, speex, speex/16000, speex/32000 | `~/.twinkle/softphone.cfg` |"
    )
    assert "| HA1 and password |" in rows[0]
    assert "| every one |" in rows[0]


def test_a_title_cannot_end_its_cell():
    row = abilities_table([replace(target("twinkle"), title="a|b\nc")]).split("\n")[2]
    assert row.startswith("| a\\|b c | `twinkle` |")
