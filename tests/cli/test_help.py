"""What `--help` says, on the terminals that people have."""

from __future__ import annotations

import pytest

from provisioner.cli import VERBS, main


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_into_the_terminal_and_tells_the_exit_codes(verb, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    # What is to be typed stays in one line.
    assert [line for line in said.splitlines() if len(line) > columns and not line.startswith("  provisioner")] == []
    assert "\nexit codes: 0 done;" in said


def test_a_line_that_is_to_be_typed_stays_as_it_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(SystemExit):
        main(["schema", "--help"])
    assert "\n\n  provisioner schema > /etc/softphone-provisioner/schema.json\n\n" in capsys.readouterr().out
