"""How each phone of an agent is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.parcel import Home
from provisioner.core.settings import ReloadPolicy, TargetChoice
from provisioner.core.target import ShippedReload, Target
from provisioner.core.told_phones import nothing_shipped, told_phones
from tests.examples import wanted
from tests.targets.stage import target as shipped_target

JSON = shipped_target("json")
HOME = Home("ana", "/home/ana")
OWN = ShippedReload(("/usr/bin/tell", "{folder}/a"), ("/usr/bin/runs", "{user}"), ("/usr/bin/calls",))


def policies(*choices: TargetChoice, shipped: ShippedReload | None = OWN) -> dict[str, ReloadPolicy]:
    target = replace(JSON, reload=shipped)
    start = wanted()
    agent = replace(start.agent, login="ana@x", targets=choices)
    asked = replace(start, agent=agent, targets={"json": target})
    return {folder: told.policy for folder, told in told_phones(asked, HOME, "/").items()}


def json(**policy: object) -> TargetChoice:
    return TargetChoice("json", "~/phone", ReloadPolicy(**policy))  # type: ignore[arg-type]


def test_words_are_filled_in():
    (policy,) = policies(json(command=("a", "{folder}|{home}|{user}|{login}", "{}", "{other}"))).values()
    assert policy.command == ("a", "/home/ana/phone|/home/ana|ana|ana@x", "{}", "{other}")


def test_what_a_value_holds_is_not_filled_in_again():
    choice = TargetChoice("json", "/srv/{login}", ReloadPolicy(("a", "{login}")))
    start = wanted()
    agent = replace(start.agent, login="{home}", targets=(choice,))
    asked = replace(start, agent=agent, targets={"json": JSON})
    (told,) = told_phones(asked, HOME, "/").values()
    assert told.policy.command == ("a", "{home}")


def test_shipped_is_the_targets_own_with_what_it_asks_first():
    (policy,) = policies(json(timeout=5.0)).values()
    assert policy.command == ("/usr/bin/tell", "/home/ana/phone/a")
    assert (policy.running_command, policy.busy_command) == (("/usr/bin/runs", "ana"), ("/usr/bin/calls",))
    assert policy.timeout == 5.0


def test_an_own_question_goes_over_the_shipped_one():
    (policy,) = policies(json(busy_command=("/usr/bin/mine",))).values()
    assert policy.busy_command == ("/usr/bin/mine",)


def test_an_own_command_has_none_of_the_shipped_questions():
    (policy,) = policies(json(command=("a",))).values()
    assert (policy.running_command, policy.busy_command) == ((), ())


@pytest.mark.parametrize("choice", [TargetChoice("json"), TargetChoice("nobody", None, ReloadPolicy(("a",)))])
def test_who_is_not_told(choice: TargetChoice):
    assert policies(choice) == {}


def test_shipped_where_nothing_is_shipped_is_said():
    target: Target = replace(JSON, reload=None)
    assert policies(json(), shipped=None) == {}
    agent = wanted().agent
    (problem,) = nothing_shipped(agent, json(), target)
    assert problem.what == f"agent `{agent.login}`: json has no reload command of its own" and not problem.remark
    assert problem.where == agent.place
    assert nothing_shipped(agent, json(command=("a",)), target) == ()
    assert nothing_shipped(agent, TargetChoice("json"), target) == ()
    assert nothing_shipped(agent, json(), replace(target, reload=OWN)) == ()


def test_linphone_is_handed_its_file_where_it_runs():
    start = wanted()
    agent = replace(start.agent, targets=(TargetChoice("linphone", None, ReloadPolicy()),))
    asked = replace(start, agent=agent, targets={"linphone": shipped_target("linphone")})
    (told,) = told_phones(asked, HOME, "/").values()
    assert told.policy.command == (
        "/usr/bin/linphone",
        "show fetch-config=/home/ana/.config/linphone/provisioning.xml",
    )
    assert told.policy.running_command == ("/usr/bin/pgrep", "--euid", "ana", "--exact", "linphone")


def test_two_folders_of_one_target_are_two_phones():
    again = TargetChoice("json", "~/other", ReloadPolicy(("b",)))
    found = policies(json(command=("a",)), again)
    assert {folder: policy.command for folder, policy in found.items()} == {
        "/home/ana/phone": ("a",),
        "/home/ana/other": ("b",),
    }
