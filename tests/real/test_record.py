"""The targets say of real phones what the record says, and the record fails where a test sees something else."""

from __future__ import annotations

import pytest

from tests.real.record import TEMPLATES, Record, manifest, opened, readme

TARGETS = sorted(path.parent.name for path in TEMPLATES.glob("*/manifest.yaml"))


@pytest.mark.parametrize("target", TARGETS)
def test_manifest_and_readme_tell_the_record(target: str) -> None:
    seen = opened().seen
    for name, told in (("manifest.yaml", manifest), ("README.md", readme)):
        text = (TEMPLATES / target / name).read_text()
        assert told(text, seen, target) == text, "python -m tests.real.record"


def test_the_record_is_of_targets_that_exist() -> None:
    assert opened().seen
    assert set(opened().seen) <= set(TARGETS)


def test_what_is_not_in_the_record_is_an_error() -> None:
    record = Record({"own": {"Own/1": {"udp": ["registers"]}}})
    record.saw("own", "Own/1 (linux)", "udp", "registers")
    record.saw("own", "Own/2", "udp", "registers, another version")
    with pytest.raises(AssertionError, match="calls"):
        record.saw("own", "Own/1", "udp", "calls")
    with pytest.raises(AssertionError, match="tcp"):
        record.saw("own", "Own/1", "tcp", "registers")
