"""The service as a process for months: what was here once and is gone is forgotten, however often that happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from provisioner.demo.platform import SimulatedAgent
from provisioner.edge.store import open_store
from tests.machine import Machine, Service, until
from tests.sip_server import ha1_of
from tests.test_relays import Office, office  # noqa: F401 - a fixture

# All that has this in its name is gone in the end.
PAST = "quondam"
# On a signal, the service writes down all texts with that word that it still knows, but in caches of limited size.
_SEARCH = """
import functools, gc, json, os, signal
word = {backwards!r}[::-1]  # not among what was compiled
def search(*_):
    gc.unfreeze()
    gc.collect()
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper):
            one.cache_clear()
    todo, seen, found = gc.get_objects(), set(), set()
    ours = {{id(todo), id(seen), id(found)}}
    while todo:
        one = todo.pop()
        if id(one) not in seen and id(one) not in ours:
            seen.add(id(one))
            # The collector passes over the keys of a dictionary that are texts.
            for other in [*gc.get_referents(one), *(one if isinstance(one, dict) else ())]:
                if isinstance(other, (str, bytes)):
                    if word in str(other) and other is not word and len(other) < 500:
                        found.add(type(one).__name__ + ': ' + str(other))
                else:
                    todo.append(other)
    with open({file!r} + '.new', 'w') as out:
        json.dump(sorted(found), out)
    os.rename({file!r} + '.new', {file!r})
signal.signal(signal.SIGUSR1, search)
"""


def watched(machine: Machine) -> Path:
    """The file in which the service of ``machine`` says what it remembers, once it is asked."""
    file = machine.root / "remembered.json"
    machine.before = _SEARCH.format(backwards=PAST[::-1], file=str(file))
    return file


async def remembered(service: Service, file: Path) -> list[str]:
    service.process.send_signal(signal.SIGUSR1)
    await until(file.exists)
    return list(json.loads(file.read_text()))


def kept(machine: Machine) -> list[str]:
    """The tables of the state with a row that has the word."""
    with sqlite3.connect(machine.places.state / "state.sqlite") as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [(name, row) for name in tables for row in db.execute(f"SELECT * FROM {name}")]
    return [name for name, row in rows if any(PAST.encode() in value for value in row if isinstance(value, bytes))]


def agents(*more: str) -> str:
    """Two agents who live in one home, each with ``more`` of a line of YAML."""
    said = [f"- login: {login}\n  home: /home/{PAST}\n  {line}\n" for login, line in zip(LOGINS, more, strict=True)]
    return "agents:\n" + "".join(said)


LOGINS = ("quondam-by-file", "quondam-by-command")


@pytest.fixture
def past(office: Office) -> Path:  # noqa: F811
    """The file of two agents who will be gone."""
    for number, login in enumerate(LOGINS, 2001):
        row = {"transport": "wss", "md5secret": ha1_of(str(number))}
        office.platform.put(SimulatedAgent(login, "pw", str(number), row=row))
    password = office.machine.root / "quondam-password"
    password.touch(mode=0o600)
    password.write_text("pw\n")
    os.utime(password, (1e9, 1e9))  # long enough ago to be remembered
    (office.machine.root / "home" / PAST).mkdir(parents=True)
    path = office.machine.agents_d / "quondam.yaml"
    targets = "targets: [linphone, {target: quondam-target, path: ~/quondam-path}]"
    passwords = "{file: /quondam-password}", "{command: [/bin/sh, -c, 'echo pw # quondam']}"
    path.write_text(agents(*(f"password: {password}\n  {targets}" for password in passwords)))
    shutil.copytree("templates/json", office.machine.places.site_templates / "quondam-target")
    return path


async def test_nothing_is_remembered_of_agents_targets_and_passwords_that_are_gone(office: Office, past: Path):  # noqa: F811
    machine, remembers = office.machine, watched(office.machine)
    async with machine.running() as service:
        await service.logged_in("ana", *LOGINS)
        assert kept(machine)
        shutil.rmtree(machine.places.site_templates / "quondam-target")
        past.unlink()
        await service.until(lambda status: len(status["agents"]) == 1)
        office.settle("  account: {display_name: Eva}")
        await until(lambda: "Eva" in office.written())  # one change is done after the other
        assert await remembered(service, remembers) == []
        assert kept(machine) == []


async def test_nor_in_the_state_of_those_who_went_while_the_service_did_not_run(office: Office, past: Path):  # noqa: F811
    machine = office.machine
    async with machine.running() as service:
        await service.logged_in("ana", *LOGINS)
    past.unlink()
    with closing(open_store(machine.places.state)) as store:
        store.put_realm(f"{LOGINS[0]} at {office.url}", "asterisk")
    async with machine.running() as service:
        await service.logged_in("ana")
        await until(lambda: not kept(machine))
