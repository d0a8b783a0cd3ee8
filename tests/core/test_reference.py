"""The table of settings in the README."""

from __future__ import annotations

from provisioner.core.reference import settings_table
from provisioner.core.schema import default_of, effects, keys

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
