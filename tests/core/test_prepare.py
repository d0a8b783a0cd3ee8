"""One agent, ready to be written: one target that cannot be made stops no other."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from provisioner.core.account import Proof, Transport
from provisioner.core.derive import Secrets
from provisioner.core.parcel import Home
from provisioner.core.prepare import Job, Prepared, prepare
from provisioner.core.problem import Place, Problem
from provisioner.core.reason import Identity, Wanted
from provisioner.core.relay_way import RelayPolicy, RelayWay, Way
from provisioner.core.secret import Secret
from provisioner.core.settings import TargetChoice
from tests.targets.stage import PASSWORD, PLATFORM, agent, catalog, row, target

BROKEN = (Problem(Place("own/manifest.yaml", 1, 1), "it is broken"),)


def prepared(answer: dict[str, object], *choices: TargetChoice, password: str = PASSWORD) -> Prepared:
    one = agent(None, *choices)
    targets = {choice.target: catalog().targets.get(choice.target) for choice in choices}
    wanted = Wanted(Identity("", one.login, ""), one, PLATFORM, targets)
    secrets = Secrets(Secret(password))
    home = Home("victor", "/home/victor")
    return prepare(Job(wanted, Secret(json.dumps(answer)), secrets, home, catalog().targets, {"own": BROKEN}))


def test_each_target_gets_its_files_and_its_place():
    result = prepared(row("wss,udp", encryption="no"), TargetChoice("jssip"), TargetChoice("twinkle", "/srv/t"))
    assert result.agent == "vcisneros"
    assert result.account is not None
    assert result.account.credential.proof is Proof.PROVEN
    jssip, twinkle = result.targets
    assert (jssip.ready, twinkle.ready) == (True, True)
    assert jssip.layout is not None
    assert jssip.layout.absolute == "/home/victor/.config/softphone-provisioner/jssip"
    assert twinkle.layout is not None
    assert twinkle.layout.absolute == "/srv/t"


def test_phones_that_displace_each_other_are_remarked():
    both = prepared(row("wss,udp", encryption="no"), *map(TargetChoice, ("jssip", "json", "twinkle")))
    assert [(problem.remark, problem.what.partition(" share")[0]) for problem in both.problems] == [
        (True, "jssip and twinkle")
    ]
    # One that cannot be configured displaces nobody.
    alone = prepared(row("wss"), *map(TargetChoice, ("jssip", "twinkle")))
    assert alone.problems == ()


def through(way: RelayWay | None, policy: RelayPolicy, *names: str) -> Prepared:
    choices = [TargetChoice(name) for name in names]
    one = replace(agent(None, *choices), relay=policy)
    wanted = Wanted(Identity("", one.login, ""), one, PLATFORM, {name: target(name) for name in names})
    home = Home("victor", "/home/victor")
    job = Job(wanted, Secret(json.dumps(row())), Secrets(Secret(PASSWORD)), home, catalog().targets, relay=way)
    return prepare(job)


def test_a_phone_gets_the_way_that_the_relay_has():
    way = RelayWay(25060)
    result = through(way, RelayPolicy(), "linphone", "jssip")
    assert [(one.ready, one.transport, one.relay) for one in result.targets] == [
        (True, Transport.WSS, way), (True, Transport.WSS, None),
    ]  # fmt: skip
    assert [one.way for one in result.targets] == [Way(Transport.WSS, way), Way(Transport.WSS)]
    assert [problem.what.partition(" share")[0] for problem in result.problems] == ["linphone and jssip"]
    assert b"127.0.0.1:25060" in result.targets[0].files[0].file.content


@pytest.mark.parametrize(
    ("way", "policy"),
    [(None, RelayPolicy()), (None, RelayPolicy(use=False)), (RelayWay(25060), RelayPolicy(use=False))],
)
def test_without_a_relay_the_phone_is_refused(way, policy):
    linphone, jssip = through(way, policy, "linphone", "jssip").targets
    assert (linphone.ready, linphone.relay, jssip.ready) == (False, None, True)
    assert "linphone cannot register over wss" in str(linphone.problems[0])
    assert ("`relay: off`" in str(linphone.problems[0])) is not policy.use


@pytest.mark.parametrize("way", [RelayWay(25060), None], ids=["asked beforehand", "at the service, which opened none"])
def test_phones_to_use_instead_are_those_of_the_relay_too(way):
    (twinkle,) = through(way, RelayPolicy(), "twinkle").targets
    assert "or use baresip or browser-phone or jssip" in str(twinkle.problems[0])


@pytest.mark.parametrize(("way", "policy"), [(None, RelayPolicy()), (RelayWay(25060), RelayPolicy(use=False))])
def test_no_phone_is_to_be_used_instead_for_which_there_would_be_no_relay(way, policy):
    # Linphone needs one: that there is none says that its port cannot be had.
    for one in through(way, policy, "twinkle", "linphone").targets:
        assert "use browser-phone or jssip or sipjs" in str(one.problems[0])


def test_a_target_that_cannot_be_made_stops_no_other():
    choices = ("linphone", "nothing", "own", "jssip")
    linphone, nothing, own, jssip = prepared(row(), *map(TargetChoice, choices)).targets
    assert [one.ready for one in (linphone, nothing, own, jssip)] == [False, False, False, True]
    assert "use browser-phone or jssip or sipjs" in str(linphone.problems[0])
    assert "there is no target `nothing`" in str(nothing.problems[0])
    assert own.problems == BROKEN


def test_a_place_that_is_none_stops_only_its_target():
    bad, good = prepared(row(), TargetChoice("jssip", "~/../x"), TargetChoice("sipjs")).targets
    assert (bad.layout, bad.files, good.ready) == (None, (), True)
    assert "`..`" in str(bad.problems[0])


def test_a_target_that_does_not_fit_keeps_its_place_so_that_its_last_files_can_stay():
    (one,) = prepared(row(), TargetChoice("linphone")).targets
    assert one.layout is not None
    assert not one.ready


def test_an_answer_that_makes_no_account_says_why_and_makes_no_files():
    result = prepared(row(md5secret="", secret=""), TargetChoice("jssip"))
    assert (result.account, result.targets) == (None, ())
    assert "neither a SIP password nor its hash" in str(result.problems[0])


def test_an_answer_without_a_name_makes_no_account():
    assert prepared({"host": "acme.example"}, TargetChoice("jssip")).account is None


def test_remarks_come_with_the_files():
    (one,) = prepared(row(allow="alaw;gsm"), TargetChoice("jssip"), password="another").targets
    assert one.ready
    assert [problem.remark for problem in one.problems] == [True, True]


def test_the_folder_told_to_the_phone_is_the_one_it_is_written_to():
    (one,) = prepared(row("udp"), TargetChoice("linphone", "~/my phone")).targets
    seed = one.files[1].file.content.decode()
    assert seed == "[misc]\nconfig-uri=file:///home/victor/my phone/provisioning.xml\n"
