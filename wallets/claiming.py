"""Claims an operation for one question: under its lock decides between asking, looking up, and neither (DESIGN 5).

The claim is committed before anything is sent: a lease longer than the time limit, and for an ask `ask_until`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction as db_transaction

from ledger.controls import clock, randomness
from wallets import admission, requery, transitions
from wallets.admission import HeldBack
from wallets.gateway_adapters import NoSuchAdapter
from wallets.gateway_port import WalletGateway
from wallets.legs import Performed, known
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import CAUSES_OF_DOUBT, Cause, Unknown

log = structlog.get_logger(__name__)

_State = RemoteOperation.State
LEASE_BEYOND_LIMIT = timedelta(seconds=10)
_LONGEST_PAUSE_NAP = timedelta(seconds=15)


class Unfounded(RuntimeError):
    """A movement was about to be asked that rule R2 or R4 forbids: a defect, and nothing was sent."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One question that nobody else asks while its lease lasts."""

    operation: RemoteOperation
    gateway: Gateway
    wallet: WalletGateway
    token: str
    kind: RemoteAttempt.Kind
    time_left: float
    started: float


def claim(
    operation_id: int,
    *,
    waits: Callable[[], bool] | None,
    execute_by: datetime | None,
    adapter: Callable[[str], WalletGateway],
    grounds: Callable[[], bool] | None = None,
    by_hand: bool = False,
    again: bool = False,
) -> Claimed | Performed:
    """Lease the operation for an ask or a lookup; or return what is known, or how long to wait.

    Without `waits` it never asks. `by_hand`: a person wants this lookup, whatever the gateway's breaker says. `again`: what
    is confirmed or rejected is looked up too.
    """
    started = clock.monotonic()
    with db_transaction.atomic():
        still_waits = waits is None or waits()
        founded = grounds is not None and still_waits and grounds()
        operation = RemoteOperation.objects.select_for_update().get(pk=operation_id)
        gateway = Gateway.objects.get(pk=operation.gateway_id)
        now = clock.now()
        outcome = known(operation)
        if outcome is not None and not (again and operation.state in (_State.CONFIRMED, _State.REJECTED)):
            return Performed(outcome)
        if not still_waits:
            return Performed(Unknown(Cause.NOT_ASKED))
        if operation.lease_until is not None and operation.lease_until > now:
            return Performed(Unknown(Cause.IN_FLIGHT), wait=operation.lease_until - now)
        timely = is_timely(gateway, execute_by, now)
        granted = waits is not None and operation.state == _State.ABSENT and operation.ask_again_granted != ""
        if (operation.state == _State.PREPARED or granted) and not timely:
            return Performed(Unknown(Cause.NOT_ASKED), wait=_nap(gateway, now))
        asks = waits is not None and timely and _may_be_asked(operation, gateway)
        if asks:
            _refuse_unfounded(operation, founded=founded)
        limit = timedelta(milliseconds=gateway.time_limit_ms)
        token = randomness.octets(16).hex()
        lease = limit + LEASE_BEYOND_LIMIT
        wallet = _door(gateway, adapter)
        if not isinstance(wallet, HeldBack) and not by_hand:
            admitted = admission.admit(gateway, token=token, lease=lease, now=now)
            wallet = admitted if isinstance(admitted, HeldBack) else wallet
        if isinstance(wallet, HeldBack):
            if granted:  # what people decided waits for its turn; it is not undone by a wait
                return Performed(Unknown(Cause.NOT_ASKED), wait=wallet.wait)
            return _held_back(operation, gateway, wallet, now=now)
        leased = {"lease_token": token, "lease_until": now + lease}
        if asks:
            transitions.ask(operation, values={**leased, **asked(operation, now=now, limit=limit)}, now=now)
        else:
            RemoteOperation.objects.filter(pk=operation.pk).update(**leased)
    kind = RemoteAttempt.Kind.ASK if asks else RemoteAttempt.Kind.LOOKUP
    return Claimed(operation, gateway, wallet, token, kind, limit.total_seconds(), started)


def _door(gateway: Gateway, adapter: Callable[[str], WalletGateway]) -> WalletGateway | HeldBack:
    """Return the gateway's adapter; while the settings name none, nothing is asked, and nobody else waits for that."""
    try:
        return adapter(gateway.adapter)
    except NoSuchAdapter:
        log.exception("gateway_without_adapter", gateway_id=gateway.pk, adapter=gateway.adapter)
        return HeldBack(_LONGEST_PAUSE_NAP, "no_adapter")


def is_timely(gateway: Gateway, execute_by: datetime | None, now: datetime) -> bool:
    """Tell whether the gateway may be asked now: not while it is paused, nor later than `execute_by`."""
    paused = gateway.paused_until is not None and now < gateway.paused_until
    return not paused and (execute_by is None or now <= execute_by)


def _nap(gateway: Gateway, now: datetime) -> timedelta:
    """Return how long to wait while paused: not for ever, since a pause may be lifted early."""
    if gateway.paused_until is None or gateway.paused_until <= now:
        return requery.backoff(gateway, 0)
    return min(gateway.paused_until - now, _LONGEST_PAUSE_NAP)


def _held_back(operation: RemoteOperation, gateway: Gateway, held: HeldBack, *, now: datetime) -> Performed:
    """Say that nothing was asked, or, of what was asked before, what is known of it; its lookups end in time."""
    if operation.state == _State.PREPARED:
        return Performed(Unknown(Cause.NOT_ASKED), wait=held.wait)
    cause = Cause(operation.unknown_cause) if operation.unknown_cause else Cause.TIMEOUT
    return Performed(Unknown(cause), exhausted=requery.is_over(gateway, operation, now=now), wait=held.wait)


def _may_be_asked(operation: RemoteOperation, gateway: Gateway) -> bool:
    """Tell whether this key was never asked, or is proven absent and may be asked again: the same key.

    A release moves no money and may be repeated: it is asked until it is answered. What is doubted is looked up instead.
    """
    if operation.state != _State.ABSENT:
        return bool(operation.state == _State.PREPARED)
    if operation.ask_again_granted != "":
        return True
    again = operation.leg == "release" or (gateway.resubmit and operation.counted_lookups < gateway.requery_cap)
    return again and operation.unknown_cause not in CAUSES_OF_DOUBT


def asked(operation: RemoteOperation, *, now: datetime, limit: timedelta) -> dict[str, object]:
    """Return what changes with an ask. Only a decision of people gives the lookups a new count: a limit on the loop."""
    granted = operation.ask_again_granted != ""
    return {
        "asked_at": now,
        "ask_until": now + limit,
        "asks": operation.asks + 1,
        "counted_lookups": 0 if granted else operation.counted_lookups,
        "ask_again_granted": "",
        "unknown_cause": "",
    }


def _refuse_unfounded(operation: RemoteOperation, *, founded: bool) -> None:
    """Hold rules R2 and R4 where the money would go out, whatever the caller believes.

    Only one version of a leg may ever be effective; a reverse gives back a confirmed debit of the same amount; a credit
    pays for something that stands, and never beside a debit of the same owner. What a venue may have executed is not
    released, and what it was asked to release is not executed.
    """
    siblings = RemoteOperation.objects.filter(owner=operation.owner).exclude(pk=operation.pk)
    over = (_State.REJECTED, _State.ABSENT, _State.WITHDRAWN)
    if siblings.filter(leg=operation.leg).exclude(state__in=over).exists():
        raise Unfounded(f"{operation.key}: another version of it may have happened")
    debit = siblings.filter(
        leg="debit", state=_State.CONFIRMED, asset=operation.asset, amount_minor=operation.amount_minor
    )
    if operation.leg == "reverse" and not debit.exists():
        raise Unfounded(f"{operation.key}: no confirmed debit of its amount")
    if operation.leg in ("credit", "submit") and not founded:
        raise Unfounded(f"{operation.key}: what it pays for does not stand")
    if operation.leg == "credit" and siblings.filter(leg__in=("debit", "reverse")).exists():
        raise Unfounded(f"{operation.key}: its owner has a debit")
    if operation.leg == "release" and siblings.filter(leg="execute").exclude(state__in=over).exists():
        raise Unfounded(f"{operation.key}: it may have been executed")
    if operation.leg in ("reserve", "execute") and siblings.filter(leg="release").exists():
        raise Unfounded(f"{operation.key}: it was given up")
