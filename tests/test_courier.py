"""The courier over a real socket, with a real ledger and a real disk; the test is the service at the other end."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from provisioner import __version__
from provisioner.core.answer import brought_from_json, problems_from_json, ran_from_json
from provisioner.core.errand import PROTOCOL, Bring, Errand, KeepOnly, Look, Ran, Remove, Run, errand_as_json
from provisioner.core.frame import HEAD, LONGEST_TO_COURIER, frame
from provisioner.core.parcel import Layout, Parcel, State
from provisioner.core.plan import DesiredFile
from provisioner.courier import OtherProtocolError, serve
from provisioner.cycle import Cycle
from provisioner.edge.daemon_line import DaemonLine
from provisioner.edge.people import own
from provisioner.edge.store import open_store
from tests.faults import on_small_disk
from tests.machine import PATIENCE


class Service:
    """The service's end of a courier's line, and the courier behind it in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self._state = folder / "state"
        self._end, end = socket.socketpair()
        self._end.settimeout(PATIENCE)
        self.line = DaemonLine(self._end)
        self.said = self.line.messages()
        self.ended: list[BaseException | None] = []
        self._thread = threading.Thread(target=self._courier, args=(end,))
        self._thread.start()
        self._last = 0

    def _courier(self, end: socket.socket) -> None:
        store, line = open_store(self._state), DaemonLine(end)
        try:
            serve(line, Cycle(store, own()))
            self.ended.append(None)
        except BaseException as error:
            self.ended.append(error)
        finally:
            line.close()
            store.close()

    def raw(self, whole: bytes) -> None:
        self._end.sendall(whole)

    def ask(self, errand: Errand) -> int:
        """Send an errand; gives its number."""
        self._last += 1
        self.raw(frame({"id": self._last, **errand_as_json(errand)}, LONGEST_TO_COURIER))
        return self._last

    def answer(self, errand: Errand) -> dict[str, Any]:
        number = self.ask(errand)
        answer = next(self.said)
        assert answer.pop("id") == number
        return answer

    def hang_up(self) -> None:
        self.line.close()

    def end(self) -> BaseException | None:
        """How the courier ended."""
        self._thread.join(PATIENCE)
        (how,) = self.ended
        return how

    def parcel(self, content: bytes = b"[a]\n", *, path: str = ".phone/a.ini", target: str = "phone") -> Parcel:
        place = Layout(str(self.home), PurePosixPath(path).parent, ())
        return Parcel(target, place, (DesiredFile(PurePosixPath(path), content),))

    def files(self) -> set[str]:
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file()}


@contextmanager
def connected(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    try:
        assert next(service.said) == {"courier": PROTOCOL, "version": __version__}
        yield service
    finally:
        service.hang_up()
        service.end()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with connected(tmp_path) as made:
        yield made


def bring(service: Service, agent: str, *parcels: Parcel) -> list[State]:
    brought = brought_from_json(service.answer(Bring(agent, parcels)), parcels)
    return [report.state for report in brought.targets]


def test_what_is_brought_is_written_once_and_private(service: Service):
    assert bring(service, "ana", service.parcel()) == [State.WRITTEN]
    assert bring(service, "ana", service.parcel()) == [State.UNCHANGED]
    status = (service.home / ".phone/a.ini").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o600)


def test_what_is_brought_no_more_is_removed(service: Service):
    bring(service, "ana", service.parcel(), service.parcel(path=".other/b.ini", target="other"))
    assert service.files() == {".phone/a.ini", ".other/b.ini"}
    bring(service, "ana", service.parcel())
    assert service.files() == {".phone/a.ini"}
    assert brought_from_json(service.answer(Remove("ana"))).problems == ()
    assert service.files() == set()


def test_a_parcel_without_files_keeps_the_last_good_ones(service: Service):
    bring(service, "ana", service.parcel())
    assert bring(service, "ana", Parcel("phone"), Parcel("other")) == [State.KEPT, State.NEVER]
    assert service.files() == {".phone/a.ini"}


def test_who_is_not_to_be_kept_leaves_no_file_even_of_an_earlier_session(tmp_path: Path):
    with connected(tmp_path) as service:
        for agent in ("ana", "beto", "carla"):
            bring(service, agent, service.parcel(path=f".phone/{agent}"))
    with connected(tmp_path) as service:
        assert brought_from_json(service.answer(KeepOnly(("beto", "never seen")))).problems == ()
        assert service.files() == {".phone/beto"}
        assert bring(service, "beto", service.parcel(path=".phone/beto")) == [State.UNCHANGED]


def test_who_waited_for_a_path_is_named_when_it_is_free(service: Service):
    bring(service, "ana", service.parcel())
    assert bring(service, "beto", service.parcel()) == [State.NEVER]
    assert brought_from_json(service.answer(Remove("ana"))).freed == {"beto"}
    assert brought_from_json(service.answer(Remove("ana"))).freed == set()


def test_whose_files_somebody_touched_is_told(service: Service):
    for agent in ("ana", "beto"):
        bring(service, agent, service.parcel(path=f".phone/{agent}"))
    assert service.answer(Look(("ana", "beto", "nobody"))) == {"agents": []}
    (service.home / ".phone/beto").write_text("mine")
    assert service.answer(Look(("ana", "beto", "nobody"))) == {"agents": ["beto"]}


def test_a_home_that_is_not_there_is_a_problem_of_the_target_and_of_nothing_else(service: Service):
    service.home.rename(service.home.with_name("away"))
    (report,) = brought_from_json(service.answer(Bring("ana", (service.parcel(),))), (service.parcel(),)).targets
    assert report.state is State.NEVER
    assert "there is no such folder" in report.problems[0].what


def test_a_command_ends_as_it_ends(service: Service):
    assert ran_from_json(service.answer(Run(("sh", "-c", "exit 3"), PATIENCE))) == Ran(3)
    assert ran_from_json(service.answer(Run(("sleep", "3600"), 0.1))) == Ran(None, "took longer than 0.1 s")
    missing = Ran(None, "cannot be started: No such file or directory")
    assert ran_from_json(service.answer(Run(("/nowhere",), 1.0))) == missing
    assert ran_from_json(service.answer(Run(("echo", "\ud800"), 1.0))).code is None


def test_files_do_not_wait_for_a_command(service: Service, tmp_path: Path):
    os.mkfifo(tmp_path / "go")
    running = service.ask(Run(("cat", str(tmp_path / "go")), PATIENCE))
    assert bring(service, "ana", service.parcel()) == [State.WRITTEN]
    (tmp_path / "go").write_text("")
    assert next(service.said) == {"id": running, "code": 0, "cause": ""}


def test_many_commands_and_deliveries_answer_whole_messages(service: Service):
    numbers = {service.ask(Run(("true",), PATIENCE)) for _ in range(20)}
    numbers |= {service.ask(Bring("ana", (service.parcel(str(turn).encode()),))) for turn in range(20)}
    assert {next(service.said)["id"] for _ in numbers} == numbers


def test_a_large_file_arrives_whole(service: Service):
    content = os.urandom(3 * 1024 * 1024)
    assert bring(service, "ana", service.parcel(content)) == [State.WRITTEN]
    assert (service.home / ".phone/a.ini").read_bytes() == content


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 100,
        bytes(HEAD),
        b"\0\0\0\4nope",
        b"\0\0\0\2[]",
        (LONGEST_TO_COURIER + 1).to_bytes(HEAD, "big"),
        frame({"id": 1, "do": "shell"}, 1000),
        frame({"id": 1, "do": "run", "argv": [], "seconds": 1}, 1000),
        frame({}, 1000),
    ],
)
def test_garbage_from_the_service_ends_the_connection_and_touches_nothing(service: Service, garbage: bytes):
    bring(service, "ana", service.parcel())
    service.raw(garbage)
    assert list(service.said) == []
    assert service.end() is None
    assert service.files() == {".phone/a.ini"}


@pytest.mark.parametrize("path", ["../escaped", "/etc/escaped", ""])
def test_no_file_leads_out_of_its_base(service: Service, path: str):
    message = {"id": 1, **errand_as_json(Bring("ana", (service.parcel(),)))}
    message["parcels"][0]["files"][0]["path"] = path
    service.raw(frame(message, LONGEST_TO_COURIER))
    assert list(service.said) == []
    assert service.end() is None
    assert not list(service.home.parent.rglob("escaped*"))


@pytest.mark.parametrize("length", [0, 2, HEAD, HEAD + 1, HEAD + 50])
def test_a_service_that_ends_in_the_middle_of_a_message_is_gone_and_nothing_is_written(service: Service, length: int):
    service.raw(frame({"id": 1, **errand_as_json(Bring("ana", (service.parcel(),)))}, LONGEST_TO_COURIER)[:length])
    service.hang_up()
    assert service.end() is None
    assert service.files() == set()


def test_a_service_that_is_gone_before_the_answer_harms_nobody(tmp_path: Path):
    with connected(tmp_path) as service:
        service.ask(Run(("sleep", "0.1"), PATIENCE))
        service.ask(Bring("ana", (service.parcel(),)))
        service.hang_up()
        assert service.end() is None
    with connected(tmp_path) as service:
        assert bring(service, "ana", service.parcel()) == [State.UNCHANGED]


def test_a_service_of_another_protocol_ends_the_courier(service: Service):
    service.raw(frame({"refused": "protocol", "courier": PROTOCOL + 1}, 1000))
    assert isinstance(service.end(), OtherProtocolError)


def test_an_answer_that_is_too_long_is_a_failure_and_no_end(service: Service):
    agents = tuple(f"{number:0100}" for number in range(3000))
    for agent in agents[:3]:
        bring(service, agent, service.parcel(path=f".phone/{agent}"))
    for path in (service.home / ".phone").iterdir():
        path.unlink()
    answer = service.answer(Look(agents[:3] * 1000))
    assert problems_from_json(answer["failed"])[0].what == "a message is longer than it may be"
    assert service.answer(Look(agents[:1])) == {"agents": [agents[0]]}


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path):
    """The ledger's disk is full: nothing is written that would be forgotten."""
    script = """
        import json, socket, sys, threading
        from pathlib import Path
        from tests.test_courier import Bring, Service
        folder = Path(sys.argv[1])
        service = Service(folder)
        next(service.said)
        with (folder / "fill").open("wb", buffering=0) as fill:
            try:
                while True:
                    fill.write(bytes(512))
            except OSError:
                pass
        answer = service.answer(Bring("ana", (service.parcel(),)))
        service.hang_up()
        service.end()
        print(json.dumps([answer, sorted(service.files())]))
    """
    answer, files = json.loads(on_small_disk(script, tmp_path, "256k"))
    (report,) = answer["targets"]
    assert report["state"] == "not written"
    assert "full" in report["problems"][0]["what"]
    assert files == []
