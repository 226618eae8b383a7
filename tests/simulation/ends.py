"""The end of a world: nothing fails any more, everything that waits is done, and book and counterparties agree."""

from collections.abc import Callable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Final

from ledger import expiry, fold, money, seals, verify
from ledger.controls.refusals import Refusal
from orders.models import Order, Return, ReviewCase
from orders.operations import cancel_unconfirmed, drive_stale, expire_quotes
from tests.simulation import ends_of_payments, ends_of_venues, shifts
from tests.simulation.processes import Actor
from tests.simulation.reviewers import reviewers
from tests.simulation.servers import servers
from tests.simulation.staff import Staff
from tests.simulation.terms import PAYOUTS, VENUE
from wallets.models import RemoteOperation
from webhooks import delivery, inbox_worker, relay
from webhooks.models import Delivery

if TYPE_CHECKING:
    from tests.simulation.world import World

_MOST_ROUNDS: Final = 150
_EARLY_ROUNDS: Final = 8
_AGAIN: Final = timedelta(seconds=3)
_LEASES_AND_HORIZONS: Final = timedelta(seconds=100)
_A_WHILE: Final = timedelta(minutes=9)
_PAST_EXECUTION: Final = timedelta(minutes=20)
_KINDS: Final[dict[str, Callable[[], int]]] = {
    "relay": relay.relay,
    "deliveries": delivery.deliver,
    "inbox": inbox_worker.work,
    "quotes": expire_quotes.expire_quotes,
    "unconfirmed": cancel_unconfirmed.cancel_unconfirmed,
    "holds": expiry.expire,
}
_DUE: Final = """
SELECT 'sagas', min(greatest(available_at, lease_until)) FROM orders_sagarun
UNION ALL SELECT 'relay', min(available_at) FROM ledger_queuedevent WHERE dead_at IS NULL
UNION ALL SELECT 'deliveries', min(available_at) FROM webhooks_delivery WHERE state = 'pending'
UNION ALL SELECT 'inbox', min(available_at) FROM webhooks_inboundevent WHERE state IN ('received', 'parked')
UNION ALL SELECT 'unconfirmed', min(expires_at) FROM orders_intent WHERE kind = 'payout' AND state IN ('created', 'validated')
UNION ALL SELECT 'holds', min(expires_at) FROM ledger_hold WHERE state = 'open' AND expires_at IS NOT NULL
UNION ALL SELECT 'quotes', min(expires_at) FROM orders_quote WHERE state = 'active'
"""
_ENDED: Final = ("processed", "failed", "compensated")
_NET: Final = """
SELECT coalesce(sum(CASE WHEN d.address LIKE 'operators:%%:due' THEN p.amount_minor ELSE -p.amount_minor END), 0)
FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id
JOIN ledger_account d ON d.id = p.debit_account_id JOIN ledger_account c ON c.id = p.credit_account_id
WHERE p.kind IN ('posted', 'post') AND (d.address LIKE 'operators:%%:due') <> (c.address LIKE 'operators:%%:due')
  AND (%(all)s OR t.metadata ->> 'settlement' = 'net')
"""
_UNTOLD: Final = """
SELECT e.reference, e.topic FROM ledger_event e
WHERE e.public AND split_part(e.topic, '.', 1) IN ('order', 'trade', 'intent', 'payin', 'payout')
  AND NOT EXISTS (SELECT FROM webhooks_delivery d WHERE d.event_id = e.id AND d.state = 'dead')
"""


def linger(world: "World") -> None:
    """Let the work go on for a while with nobody dying, while the outside goes on failing and people go on deciding."""
    people = reviewers(world)
    others: list[Actor] = [Staff(world), *servers(world, first=3)]
    kinds = _kinds(world)
    for _ in range(world.terms.lingers):
        due = _due(world)
        now = world.clock.shown()
        for kind, at in due.items():
            if at <= now:
                kinds[kind]()
        acting: list[Actor] = [world.chance.choice(people), *world.scene.tellers]
        if world.chance.random() < world.terms.goes_on:
            acting += [world.chance.choice(others)]
        for actor in acting:
            try:
                actor.turn()
            except Refusal as refusal:
                world.note("linger", f"refused: {refusal.code}")
        if all(at > now for at in due.values()):
            soon = timedelta(seconds=world.chance.uniform(0.2, 10))
            world.clock.advance(min([soon, *(at - now for at in due.values())]))


def drain(world: "World", *, decides: bool = True) -> None:
    """Let everything come to its end: do what is due, have people decide, let time pass to what is due next.

    Where nobody `decides` it ends as soon as nothing is due for a while: what people hold is looked up for ever.
    """
    services = (world.scene.wallet, world.scene.bank, world.scene.venue)
    for service in services:
        service.expect_nothing_more()
    world.clock.advance(_LEASES_AND_HORIZONS)
    kinds = _kinds(world)
    _batches(kinds["sagas"])  # what is on its way for long is looked up before it arrives
    if decides and world.terms.theme == PAYOUTS:
        _decide_early(world)
    for service in services:
        if (last := service.last_arrival()) is not None:
            world.clock.advance(max(last - world.clock.shown(), timedelta(0)))
        service.time_has_passed()
    staff = Staff(world)
    if world.chance.random() < 0.3:
        world.clock.advance(_PAST_EXECUTION)  # what a pause has held up so long is asked no more
    staff.calm()
    people = reviewers(world)
    for number in range(_MOST_ROUNDS):
        for news in (world.scene.news, world.scene.bank_news, world.scene.venue_news):
            while news.waiting:
                news.send_one()
        due = _due(world)
        now = world.clock.shown()
        for kind, at in due.items():
            if at <= now:
                _batches(kinds[kind])
        cases = _open_cases() if decides else []
        for case in cases:
            try:
                people[number % len(people)].settle(case)
            except Refusal as refusal:
                world.note("drain", f"{case.reference}: {refusal.code}")
        if cases or any(at <= now for at in due.values()):
            continue
        if not decides and all(at > now + _A_WHILE for at in due.values()):
            return
        if due:
            world.clock.advance(min(due.values()) - now)
        elif not drive_stale.drive_stale() and not staff.replay_dead():
            break
    fold.fold()
    seals.seal("test")


def _decide_early(world: "World") -> None:
    """Have people release what they have looked up and is not there, before it arrives after all."""
    people = reviewers(world)
    for number in range(_EARLY_ROUNDS):
        _batches(partial(shifts.work, world))
        for case in _open_cases():
            try:
                people[number % len(people)].settle(case)
            except Refusal as refusal:
                world.note("drain", f"{case.reference}: {refusal.code}")
        world.clock.advance(_AGAIN)


def _kinds(world: "World") -> dict[str, Callable[[], int]]:
    return {"sagas": partial(shifts.work, world), **_KINDS}


def _open_cases() -> list[ReviewCase]:
    return list(ReviewCase.objects.exclude(state=ReviewCase.State.RESOLVED).order_by("pk"))


def _due(world: "World") -> dict[str, datetime]:
    """Return when the first row of each kind is due, of those that have any."""
    rows = world.stage.looking.execute(_DUE, prepare=True).fetchall()
    return {kind: at for kind, at in rows if at is not None}


def compare(world: "World") -> None:
    """Hold everything against everything: the last look."""
    for order in Order.objects.exclude(state__in=_ENDED).order_by("pk"):
        if order.state != "manual_review":
            world.found("the end", order.reference, f"it is still {order.state}")
    for reference, state in Return.objects.filter(state="open").values_list("reference", "state"):
        if not ReviewCase.objects.filter(subject=reference).exclude(state="resolved").exists():
            world.found("the end", reference, f"a return is {state}, and nobody has a case of it")
    for verdict in verify.verify(environment="test"):
        for finding in verdict.findings:
            world.found("verify_ledger", finding.subject, f"{verdict.check.title}: {finding.detail}")
    _compare_money(world)
    if world.terms.pays:
        ends_of_payments.compare(world)
    if world.terms.theme == VENUE:
        ends_of_venues.compare(world)
    _compare_operations(world)
    _compare_events(world)
    lines = world.stage.looking.execute(
        "SELECT machine, subject, sequence, from_state, to_state, actor, cause FROM ledger_move ORDER BY id"
    ).fetchall()
    world.trace += [" ".join(map(str, line)) for line in lines]


def _compare_money(world: "World") -> None:
    """What the operator owes us is what its wallet moved, but for what people settled outside."""
    looking = world.stage.looking
    (owed,) = looking.execute(_NET, {"all": True}).fetchone() or (0,)
    (net,) = looking.execute(_NET, {"all": False}).fetchone() or (0,)
    moved = 0
    for movement in world.scene.wallet.movements:
        minor = money.parse(movement.amount, money.Asset(movement.asset, 2)).minor
        moved += minor if movement.leg == "debit" else -minor
    open_ends = _open_ends()
    if int(owed) - int(net) + open_ends != moved:
        world.found(
            "book and wallet", "operators:acme:due", f"book {owed}, net of it {net}, open {open_ends}, wallet {moved}"
        )


def _open_ends() -> int:
    """Return what the wallet moved for orders and returns that people have not decided on yet."""
    total = 0
    for operation in RemoteOperation.objects.filter(state="confirmed"):
        subject = Order.objects.filter(reference=operation.owner).first()
        sign = 1 if operation.leg == "debit" else -1
        if subject is not None and subject.state == "manual_review":
            booked = operation.leg == "debit" and _is_booked(operation.owner, "ORDER_DEBIT_CONFIRMED")
            total += 0 if booked else sign * int(operation.amount_minor)
        late = Return.objects.filter(operation_key=operation.key).first()
        if late is not None and late.state == "open":
            total += sign * int(operation.amount_minor)
        found = Return.objects.filter(reference=operation.owner, state="adjusted").first()
        if found is not None:
            total += sign * int(operation.amount_minor)
    return total


def _is_booked(subject: str, event_type: str) -> bool:
    from ledger.models import Transaction

    return Transaction.objects.filter(subject=subject, event_type=event_type).exists()


def _compare_operations(world: "World") -> None:
    keys = {movement.key for movement in world.scene.movements}
    for key, leg, state in RemoteOperation.objects.order_by("pk").values_list("key", "leg", "state"):
        if leg == "reserve" and state == "unknown":
            continue  # it was given up, and its release is what counts
        if (state == "confirmed") != (key in keys):
            world.found(
                "book and wallet", key, f"{state}, and at the wallet it {'moved' if key in keys else 'did not'}"
            )
    known = set(RemoteOperation.objects.values_list("key", flat=True))
    for key in sorted(keys - known):
        world.found("book and wallet", key, "moved, and unknown here")


def _compare_events(world: "World") -> None:
    """Every public event was told, unless its delivery is dead."""
    if Delivery.objects.filter(state="pending").exists():
        world.found("an event", "deliveries", "some are still pending")
    if not world.scene.receiver.gone:
        for reference, topic in world.stage.looking.execute(_UNTOLD).fetchall():
            wanted = any(fnmatchcase(topic, one) for one in world.scene.topics)
            if wanted and reference not in world.scene.receiver.taken:
                world.found("an event", reference, f"{topic} was never told")


def _batches(work: Callable[[], int]) -> int:
    total = 0
    for _ in range(100):
        done = work()
        if not done:
            break
        total += done
    return total
