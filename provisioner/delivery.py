"""One target's files, from where they are ready to where they are on the disk, in the ledger and kept in mind.

The order is what makes it safe: what was there before us gets a second name, then the ledger is told, then files are
written. Wherever that is cut short, nothing is lost and the next refresh goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from provisioner.core.parcel import Layout
from provisioner.core.plan import Create, DesiredFile, Keep, Kind, ObservedFile, Step, Update, missing_lines, plan
from provisioner.core.problem import Place, Problem, ProvisionerError
from provisioner.edge import disk
from provisioner.edge.folders import Owner, make_folders, open_base
from provisioner.edge.signature import Signature
from provisioner.edge.store import LedgerEntry, PreviousFile
from provisioner.ledger import Ledger

# Of a phone's own file only one thing is ours to say: that there is one.
_THERE: Signature = b"there"
# No file looks so: it is found to be touched at the next look.
_TOUCHED: Signature = b"touched"
Seen = Mapping[PurePosixPath, ObservedFile]
Signatures = Mapping[PurePosixPath, Signature | None]


@dataclass(frozen=True, slots=True)
class TargetFiles:
    """The files of one target of one agent; their paths are below ``place.base``. With ``keeps`` what they hold now is
    kept."""

    agent: str
    target: str
    place: Layout
    files: tuple[DesiredFile, ...]
    keeps: bool = False

    def entry(self, path: PurePosixPath) -> LedgerEntry:
        """The ledger's entry for one of the files."""
        return LedgerEntry(self.agent, self.target, self.place.base, path)

    @property
    def absolute(self) -> tuple[str, ...]:
        """The whole paths."""
        return tuple(self.entry(file.path).absolute for file in self.files)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery did, remarks about what it found, and how the files look now."""

    steps: tuple[Step, ...]
    remarks: tuple[Problem, ...]
    signatures: Signatures


def deliver(target: TargetFiles, ledger: Ledger, owner: Owner) -> Delivered:
    """Bring the files of one target to the disk, all or none.

    Raises ProvisionerError, said of whole paths; then the files are as they were.
    """
    with said_below(target.place.base), open_base(target.place.base) as base:
        return _Delivery(target, ledger, base).run(owner)


def would_renew(base: str, files: Sequence[DesiredFile], owner: Owner) -> bool:
    """Would a delivery change content? What stands in its way is for the delivery to tell."""
    try:
        with open_base(base) as folder:
            steps = plan(files, disk.observe(folder, [file.path for file in files]), owner)
    except ProvisionerError:
        return False
    return any(isinstance(step, Create | Update) for step in steps)


def untouched(base: str, signatures: Signatures) -> bool:
    """Are files below ``base`` as they were when ``signatures`` were taken? Raises ProvisionerError."""
    with open_base(base) as folder:
        found = disk.signatures(folder, signatures)
    return all(found[path] is not None if was == _THERE else found[path] == was for path, was in signatures.items())


@contextmanager
def said_below(base: str) -> Iterator[None]:
    """Problems of relative paths, raised inside, become problems of whole ones: people do not know our ``base``."""
    try:
        yield
    except ProvisionerError as error:
        where = ((problem, PurePosixPath(base) / problem.where.subject) for problem in error.problems)
        raise ProvisionerError([replace(problem, where=Place(str(path))) for problem, path in where]) from None


class _Delivery:
    def __init__(self, target: TargetFiles, ledger: Ledger, base: int) -> None:
        self._target = target
        self._ledger = ledger
        self._base = base
        self._observed: Seen = disk.observe(base, [file.path for file in target.files])

    def run(self, owner: Owner) -> Delivered:
        files, observed = self._target.files, self._observed
        steps = plan(files, observed, owner)
        aside = {file.path: disk.put_aside(self._base, file.path) for file in files if self._is_foreign(file)}
        new = self._ledger.record(self._target.entry(file.path) for file in files if self._is_ours(file))
        if self._target.keeps:
            self._keep_previous(steps)
        try:
            make_folders(self._base, self._target.place.folders, owner)
            if any(not isinstance(step, Keep) or observed[step.path].leftover for step in steps):
                disk.deliver(self._base, files, observed, owner=owner)
        except ProvisionerError:
            self._unrecord(new)
            raise
        for name in aside.values():
            disk.make_private(self._base, name)
        remarks = [self._seed_remark(file) for file in files if file.once]
        remarks += [self._aside_remark(path, name) for path, name in aside.items()]
        return Delivered(steps, tuple(remark for remark in remarks if remark), self._signatures(steps, owner))

    def _is_known(self, file: DesiredFile) -> bool:
        return self._ledger.holder(self._target.entry(file.path).absolute) is not None

    def _is_foreign(self, file: DesiredFile) -> bool:
        """Is this a file that was there before us, and that will be replaced?"""
        found = self._observed[file.path]
        return not file.once and found.kind is Kind.FILE and found.content != file.content and not self._is_known(file)

    def _is_ours(self, file: DesiredFile) -> bool:
        """A seed that was there before is the phone's own: never removed, so no business of the ledger."""
        found = self._observed[file.path]
        return not file.once or found.kind is Kind.ABSENT or found.content == file.content or self._is_known(file)

    def _keep_previous(self, steps: Sequence[Step]) -> None:
        """Keep what is replaced, in the place of what was kept of this target before."""
        target = self._target
        if not any(isinstance(step, Create | Update) for step in steps):
            return
        replaced = [file for file, step in zip(target.files, steps, strict=True) if isinstance(step, Update)]
        kept = ((target.entry(file.path), self._observed[file.path].content, file.mode) for file in replaced)
        self._ledger.keep_previous(
            target.agent,
            target.place,
            [PreviousFile(entry, content, mode) for entry, content, mode in kept if content is not None],
        )

    def _unrecord(self, new: Sequence[LedgerEntry]) -> None:
        """Strike what was recorded and then could not be written: it is not there, or still somebody else's."""
        content = {file.path: file.content for file in self._target.files}
        found = disk.observe(self._base, [entry.path for entry in new])
        self._ledger.forget([entry for entry in new if found[entry.path].content != content[entry.path]])

    def _signatures(self, steps: Sequence[Step], owner: Owner) -> Signatures:
        kept = {step.path: self._observed[step.path].signature for step in steps if isinstance(step, Keep)}
        written = [file for file, step in zip(self._target.files, steps, strict=True) if not isinstance(step, Keep)]
        seeds = {file.path: _THERE for file in self._target.files if file.once}
        return {**kept, **self._written(written, owner), **seeds}

    def _written(self, files: Sequence[DesiredFile], owner: Owner) -> Signatures:
        """How files look that were just written; somebody may have been at them since."""
        if not files:
            return {}
        found = disk.observe(self._base, [file.path for file in files])
        try:
            steps = plan(files, found, owner)
        except ProvisionerError:
            return dict.fromkeys(found, _TOUCHED)
        return {step.path: found[step.path].signature if isinstance(step, Keep) else _TOUCHED for step in steps}

    def _seed_remark(self, file: DesiredFile) -> Problem | None:
        missing = missing_lines(file, self._observed[file.path])
        if not missing:
            return None
        names = ", ".join(missing)
        what = f"the phone had this file before and it does not hold {names}: it will not find its settings"
        fix = "close the phone, move the file away, and it is made anew"
        return Problem(Place(self._target.entry(file.path).absolute), what, fix, remark=True)

    def _aside_remark(self, path: PurePosixPath, name: PurePosixPath) -> Problem:
        what = "this file was there before and was replaced"
        return Problem(Place(self._target.entry(path).absolute), what, f"it is kept as {name.name}", remark=True)
