"""Whom to trust, and when that has changed. How it is refused is shown where it is used, in ``test_platform``."""

from __future__ import annotations

from pathlib import Path

import trustme

from provisioner.edge.trust import stamp


def test_a_ca_file_that_is_replaced_has_another_stamp(tmp_path: Path):
    file, new = tmp_path / "ca.pem", tmp_path / "new.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    before = stamp(str(file))
    assert before is not None and before == stamp(str(file))
    trustme.CA().cert_pem.write_to_path(str(new))
    new.rename(file)
    assert stamp(str(file)) not in (None, before)


def test_what_is_not_there_has_none(tmp_path: Path):
    assert (stamp(None), stamp(str(tmp_path / "missing"))) == (None, None)
