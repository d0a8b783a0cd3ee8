"""Finding the realm by asking the SIP server, where it cannot be proven offline: only if the settings allow it, only
from a server whose certificate is verified, and only if that server accepts the hash with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from functools import partial

from provisioner.core.account import Account, Proof
from provisioner.core.prepare import Job, account_for
from provisioner.core.problem import ProvisionerError
from provisioner.core.sip.trial import VERIFIED, Trial, realm_shown
from provisioner.core.sip.verdict import Asked, judge
from provisioner.edge.store import Store
from provisioner.edge.trust import tls_context
from provisioner.enquiry import Enquirer, enquire, passwords_of
from provisioner.noting import Keeper, note
from provisioner.seat import Seat
from provisioner.site import Served, SiteReader

log = logging.getLogger(__name__)


class Discovery:
    """Looks for the realm after a login. ``keep`` runs a call on the store; ``now`` gives Unix seconds."""

    def __init__(
        self,
        reader: SiteReader,
        keep: Keeper,
        now: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._keep = keep
        self._now = now

    async def look(self, seat: Seat, job_of: Callable[[Seat], Job | None]) -> None:
        """Ask for what ``seat`` has when its turn comes, and let it and the state know what was found. What goes wrong
        is logged."""
        seat.looking += 1  # from here on no files are made, until whoever looks last knows
        async with seat.enquiring:  # a login may end while the server is asked again
            if job := job_of(seat):
                await self._look(seat, job)
        seat.looking -= 1

    async def _look(self, seat: Seat, job: Job) -> None:
        account = _account_to_ask_for(job)
        realm = await self._seen(account, job, seat) if account else None
        if realm is None or seat.identity != job.wanted.identity:
            return
        put = partial(Store.put_realm, agent=seat.identity.at_platform, realm=realm)
        seat.served = self._reader.with_realm(seat.served, realm)
        await note(self._keep, put, f"agent {seat.login}: the realm is not kept across a restart")

    async def look_again(self, seats: Iterable[Seat], look: Callable[[Seat], Awaitable[None]]) -> None:
        """Have ``look`` called for those of ``seats`` whose realm is assumed, and whose server may answer now and did
        not before, one after the other. A hash that it refused is no reason to ask again."""
        for seat in seats:
            assumed = seat.report is not None and seat.report.proof is Proof.ASSUMED
            wanted = seat.served.wanted.platform.discover_realm and assumed
            if wanted and seat.unasked and seat.holds and not seat.looking:
                await look(seat)

    async def forget_others(self, served: Iterable[Served]) -> None:
        """Let the state forget the realms of all but ``served``: who was here with an earlier run, and is no longer."""
        wanted = frozenset(one.wanted.identity.at_platform for one in served)
        await note(self._keep, partial(_keep_realms, wanted=wanted), "realms of agents who are gone stay in the state")

    def not_forgotten(self, old: Served, new: Served) -> Served:
        """``new`` with the realm that was seen for ``old``: a reading that began before may know nothing of it yet, or
        an earlier one."""
        realm, wanted = old.secrets.seen_realm, new.wanted
        same = wanted.identity.at_platform == old.wanted.identity.at_platform and wanted.platform.discover_realm
        return self._reader.with_realm(new, realm) if realm and same and realm != new.secrets.seen_realm else new

    async def _seen(self, account: Account, job: Job, seat: Seat) -> str | None:
        platform, trials = job.wanted.platform, tuple[Trial, ...]()
        passwords = passwords_of(job)
        try:
            who = Enquirer(account, passwords, tls_context(platform.ca_file), platform.connect_timeout)
        except ProvisionerError as error:
            _warn(seat, f"the realm cannot be asked for: {error}")
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(platform.timeout):
                trials = await enquire(who, [one for one in account.transports if one in VERIFIED])
        realm = realm_shown(trials)
        seat.unasked = not any(trial.signed for trial in trials)
        if realm is None:
            _tell_why_not(seat, trials, Asked(account, passwords, self._now(), platform.connect_timeout))
        else:
            log.info("agent %s: the SIP server asks for the realm `%s` and accepts the hash", account.agent, realm)
        return realm


def _tell_why_not(seat: Seat, trials: Iterable[Trial], asked: Asked) -> None:
    told = "; ".join(dict.fromkeys(verdict.what for verdict in judge(trials, asked))) or "no answer in time"
    fix = f"`provisioner verify {asked.account.agent}` tells more"
    _warn(seat, f"the realm stays unproven: {told} ({fix})")


def _warn(seat: Seat, what: str) -> None:
    """Once, though it is found again and again."""
    if seat.unproven != what:
        log.warning("agent %s: %s", seat.login, what)
    seat.unproven = what


def _keep_realms(store: Store, wanted: Collection[str]) -> None:
    for agent in store.realms().keys() - wanted:
        store.drop_realm(agent)


def _account_to_ask_for(job: Job) -> Account | None:
    """The account whose realm is to be asked for; None where that is not wanted, not needed, or not possible."""
    agent, platform = job.wanted.agent, job.wanted.platform
    if not platform.discover_realm or agent.overrides.realm or platform.realm:
        return None
    try:
        account, _ = account_for(job)
    except ProvisionerError:
        return None
    unproven = account.credential.proof in (Proof.ASSUMED, Proof.SEEN)
    return account if unproven and any(transport in VERIFIED for transport in account.transports) else None
