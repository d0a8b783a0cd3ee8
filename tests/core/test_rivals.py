"""Softphones that displace each other are named together."""

from __future__ import annotations

import pytest

from provisioner.core.problem import Place
from provisioner.core.rivals import rivalry, rivals
from tests.targets.stage import target


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), ()),
        (("jssip",), ()),
        (("json",), ()),
        # For people's own loaders: it registers nothing.
        (("jssip", "json"), ()),
        (("jssip", "linphone"), ("jssip", "linphone")),
        (("baresip", "json", "linphone"), ("baresip", "linphone")),
        # Two folders, two phones.
        (("linphone", "linphone"), ("linphone", "linphone")),
    ],
)
def test_two_phones_on_one_account_are_rivals(names, found):
    assert rivals(map(target, names)) == found


def test_the_remark_names_them_all():
    one = rivalry(Place("agent ana"), ("jssip", "sipjs", "linphone"))
    assert one.remark
    assert str(one) == (
        "agent ana: jssip, sipjs and linphone share one account, and the server keeps only the one that registered "
        "last: calls arrive there alone (configure one, or run one at a time)"
    )
