"""What a resolution shows before it is confirmed is what happens: for every choice there is, of every kind of case."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger import journal
from ledger.controls import clock, drains
from ledger.controls.moves import Why
from ledger.models import Event, Posting
from ledger.models.controls import QueuedEvent
from orders import payout_terms, trade_terms
from orders.locks import lock_payout
from orders.models import Intent, Order, Return, ReviewCase, SagaRun
from orders.operations import review_case
from orders.operations.freeze_order import freeze_order
from orders.operations.return_payout import return_payout
from orders.operations.return_trade import return_trade
from orders.reviews.resolutions import Resolution
from reconciliation.previews import Foreseen, foreseen_of
from tests.orders import books
from tests.orders.desk import Desk, reloaded, trade_of
from tests.orders.lanes import Lanes, open_lanes
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets.gateway_port import RemoteRequest
from wallets.models import Gateway
from wallets.remote_operations import look_up

pytestmark = pytest.mark.usefixtures("database")

UNKNOWN: list[Step | None] = [lost_after, server_error, server_error, server_error, None]
ABSENT: list[Step | None] = [lost_before, server_error, server_error, server_error, None]
REJECTED: list[Step | None] = [declined, None]


def case_of(subject: str) -> ReviewCase:
    return ReviewCase.objects.exclude(state="resolved").get(subject=subject)


def decide(subject: str, resolution: str) -> None:
    """By two people, where two are needed."""
    case = case_of(subject)
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution=resolution,
        reason="as the lookups show",
        agreement="their letter of 14 March, signed by both",
        actor="user:olga",
        now=clock.now(),
    )
    if not decided.resolved:
        review_case.approve_resolution(
            case_reference=case.reference,
            case_version=decided.case.version,
            reason="agreed",
            actor="user:lena",
            now=clock.now(),
        )


def offer_of(subject: str, resolution: str) -> Foreseen:
    found = foreseen_of(case_of(subject))
    assert all((one.preview is None) == bool(one.why_not) for one in found), "what is not allowed has nothing to show"
    return next(one for one in found if one.offer.resolution == resolution)


@dataclass(frozen=True)
class Seen:
    """All there is in the book and in the feed, whoever's."""

    postings: Counter[books.Line]
    events: set[int]

    @classmethod
    def now(cls) -> "Seen":
        return cls(books.lines(), set(Event.objects.filter(public=True).values_list("pk", flat=True)))


def happened(before: Seen) -> tuple[Counter[books.Line], list[str]]:
    after = Seen.now()
    told = Event.objects.filter(pk__in=after.events - before.events).order_by("pk")
    return after.postings - before.postings, [event.topic for event in told]


def untouched() -> object:
    runs = SagaRun.objects.order_by("pk").values_list("subject", "available_at", "lease_token")
    queued = QueuedEvent.objects.count()
    cases = ReviewCase.objects.order_by("pk").values_list("reference", "state", "version")
    return books.world(), list(runs), queued, list(cases)


# --- buys, sells and returns --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """How a case comes about at the scripted counterparty, and what is decided."""

    case: str
    resolution: Resolution
    remote: list[str]
    """The legs that it has asked."""
    webhooks: list[str]
    legs: dict[str, list[Step | None]] = field(default_factory=dict)
    sell: bool = False
    venue: str = ""
    """reserves, plain, or "" for a pool of ours."""
    user: str = "alice"
    returned: str = ""
    """"" or what the return is about: trade, debit."""
    before: tuple[str, ...] = ()
    """What was decided about the return before."""
    spent: bool = False
    """The sell's reservation was ended by hand, and its position sold elsewhere."""


R = Resolution
_RETURNED = ["order.returned"]
_COMPENSATED = ["order.compensated"]
_BACK = ["order.compensation_pending", "trade.released"]

CHOICES = [
    Choice("debit proven", R.DEBIT_PROVEN, [], ["order.operator_debited"], {"debit": UNKNOWN}),
    Choice("debit absent", R.DEBIT_ABSENT, [], ["order.failed", "trade.released"], {"debit": ABSENT}),
    Choice(
        "debit absent, reserved at a venue",
        *(R.DEBIT_ABSENT, ["release:v1"], ["order.failed", "trade.released"], {"debit": ABSENT}),
        venue="reserves",
    ),
    Choice("compensate", R.COMPENSATE, ["reverse:v1"], _BACK, {"debit": UNKNOWN}),
    Choice(
        "compensate, reserved at a venue",
        *(R.COMPENSATE, ["reverse:v1", "release:v1"], _BACK, {"debit": UNKNOWN}),
        venue="reserves",
    ),
    Choice(
        "compensate again, rejected",
        *(R.COMPENSATE_AGAIN, ["reverse:v2"], ["order.compensation_pending"], {"reverse": REJECTED}),
        user="magic-halt.alice",
    ),
    Choice(
        "compensate again, absent",
        *(R.COMPENSATE_AGAIN, ["reverse:v1"], ["order.compensation_pending"], {"reverse": ABSENT}),
        user="magic-halt.alice",
    ),
    Choice(
        "compensation proven",
        *(R.COMPENSATION_PROVEN, [], _COMPENSATED, {"reverse": UNKNOWN}),
        user="magic-halt.alice",
    ),
    Choice(
        "compensation settled outside",
        *(R.COMPENSATION_SETTLED_OUTSIDE, [], _COMPENSATED, {"reverse": REJECTED}),
        user="magic-halt.alice",
    ),
    Choice(
        "trade proven, a buy",
        *(R.TRADE_PROVEN, [], ["order.processed", "trade.settled"], {"execute": UNKNOWN}),
        venue="reserves",
    ),
    Choice(
        "trade absent, a buy",
        *(R.TRADE_ABSENT, ["reverse:v1", "release:v1"], _BACK, {"execute": ABSENT}),
        venue="reserves",
    ),
    Choice(
        "trade proven, a sell",
        *(R.TRADE_PROVEN, ["credit:v1"], ["order.operator_credit_pending", "trade.settled"], {"execute": UNKNOWN}),
        venue="plain",
        sell=True,
    ),
    Choice(
        "trade absent, a sell",
        *(R.TRADE_ABSENT, [], ["order.failed", "trade.released"], {"execute": ABSENT}),
        venue="plain",
        sell=True,
    ),
    Choice(
        "trade given up",
        *(R.TRADE_GIVEN_UP, [], ["order.failed", "trade.released"], {"execute": UNKNOWN}),
        venue="plain",
        sell=True,
        spent=True,
    ),
    Choice("credit proven", R.CREDIT_PROVEN, [], ["order.processed"], {"credit": UNKNOWN}, sell=True),
    Choice(
        "credit again, rejected",
        *(R.CREDIT_AGAIN, ["credit:v2"], ["order.operator_credit_pending"], {"credit": REJECTED}),
        sell=True,
    ),
    Choice(
        "credit again, absent",
        *(R.CREDIT_AGAIN, ["credit:v1"], ["order.operator_credit_pending"], {"credit": ABSENT}),
        sell=True,
    ),
    Choice("settled outside", R.SETTLED_OUTSIDE, [], ["order.processed"], {"credit": REJECTED}, sell=True),
    Choice("unwind", R.UNWIND, [], ["order.failed", "trade.returned"], {"credit": REJECTED}, sell=True),
    Choice("adjust a trade's return", R.ADJUST, [], ["trade.returned", "order.returned"], returned="trade"),
    Choice("adjust a late debit", R.ADJUST, [], _RETURNED, returned="debit"),
    Choice("dismiss", R.DISMISS, [], _RETURNED, returned="debit"),
    Choice("give back", R.GIVE_BACK, ["credit:v1"], [], returned="trade", before=("adjust",)),
    Choice(
        "give back again, rejected",
        *(R.GIVE_BACK_AGAIN, ["credit:v2"], [], {"credit": REJECTED}),
        returned="trade",
        before=("adjust", "give_back"),
    ),
    Choice(
        "give back again, absent",
        *(R.GIVE_BACK_AGAIN, ["credit:v1"], [], {"credit": ABSENT}),
        returned="trade",
        before=("adjust", "give_back"),
    ),
    Choice(
        "giving back proven",
        *(R.GIVEN_BACK_PROVEN, [], _RETURNED, {"credit": UNKNOWN}),
        returned="trade",
        before=("adjust", "give_back"),
    ),
    Choice("keep", R.KEEP, [], _RETURNED, returned="trade", before=("adjust",)),
]


def arrange(desk: Desk, choice: Choice) -> str:
    """Return the subject of a case that stands as the choice needs it, with a lookup that shows the truth."""
    Gateway.objects.update(not_found_horizon_ms=60_000)
    if choice.returned:
        return _arrange_return(desk, choice)
    lanes: Lanes | None = None
    if choice.venue:
        lanes = open_lanes(desk)
        Gateway.objects.update(not_found_horizon_ms=60_000)
        if choice.sell:
            lanes.holding(reserves=choice.venue == "reserves")
    elif choice.sell:
        desk.holding()
    desk.wallet.legs = {leg: list(script) for leg, script in choice.legs.items()}
    if lanes:
        terms = {"side": "sell", "amount": "50.000000"} if choice.sell else {}
        order = lanes.order(reserves=choice.venue == "reserves", **terms)
    else:
        order = desk.sell() if choice.sell else desk.order(user=choice.user)
    _until(desk, lambda: reloaded(order).state == "manual_review")
    _looked_up(desk, order.reference)
    if choice.spent:
        assert lanes is not None
        _spend(desk, lanes, order)
    return order.reference


def _spend(desk: Desk, lanes: Lanes, order: Order) -> None:
    with db_transaction.atomic():
        by_hand = replace(trade_terms.release(trade_of(order)), key="by hand")
        journal.post_all(environment=order.environment, drafts=[by_hand], now=clock.now())
    other = lanes.order(side="sell", amount="107.310000")
    _until(desk, lambda: reloaded(other).state == "processed")


def _arrange_return(desk: Desk, choice: Choice) -> str:
    desk.wallet.legs = {"debit": list(ABSENT)} if choice.returned == "debit" else {}
    order = desk.order()
    _until(desk, lambda: reloaded(order).state in ("manual_review", "processed"))
    if choice.returned == "debit":
        _looked_up(desk, order.reference)
        decide(order.reference, "debit_absent")
        key = f"{order.reference}:debit:v1"
        desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
        look_up(key)
        drains.drain("relay")
        found = Return.objects.get()
    else:
        reference = trade_of(order).reference
        found = return_trade(trade_reference=reference, reason="their letter", actor="user:lena", now=clock.now())
    desk.wallet.legs |= {leg: list(script) for leg, script in choice.legs.items()}
    for resolution in choice.before:
        decide(found.reference, resolution)
        if resolution == "give_back" and choice.resolution is not R.GIVE_BACK:
            _until(desk, lambda: ReviewCase.objects.exclude(state="resolved").exists())
            _looked_up(desk, found.reference)
    return found.reference


def _until(desk: Desk, there: Callable[[], bool]) -> None:
    for _ in range(20):
        if there():
            return
        desk.drive(passes=1, pause=timedelta(seconds=2))
    raise AssertionError("it never came to that")


def _looked_up(desk: Desk, subject: str) -> None:
    desk.later(minutes=5)
    review_case.look_up_now(case_reference=case_of(subject).reference, actor="user:olga", now=clock.now())


def _state(subject: str) -> str:
    found = Return.objects.filter(reference=subject).first() or Order.objects.filter(reference=subject).first()
    return str((found or Intent.objects.get(reference=subject)).state)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda one: one.case)
def test_what_a_resolution_shows_is_what_happens(choice: Choice, desk: Desk) -> None:
    subject = arrange(desk, choice)
    stood = untouched()
    offer = offer_of(subject, choice.resolution)
    assert untouched() == stood, "looking changes nothing"
    assert offer.preview is not None, offer.why_not
    before, asked = Seen.now(), len(desk.wallet.calls)
    decide(subject, choice.resolution)
    postings, topics = happened(before)
    assert (offer.preview.ends_in, offer.offer.ends_in) == (_state(subject),) * 2
    assert list(offer.preview.webhooks) == topics
    assert sorted(topics) == sorted(choice.webhooks)
    assert _lines(offer) == Counter({line[1:]: count for line, count in postings.items()})
    desk.drive(passes=4)
    asks = [key for kind, key in desk.wallet.calls[asked:] if kind == "ask"]
    assert sorted(asks) == sorted(one.partition(", key ")[2] for one in offer.preview.remote)
    assert sorted(key.partition(":")[2] for key in asks) == sorted(choice.remote)


def _lines(offer: Foreseen) -> Counter[tuple[str, str, str, str, int]]:
    assert offer.preview is not None
    return Counter(
        (line.kind, line.debit, line.credit, line.amount.asset, line.amount.minor) for line in offer.preview.postings
    )


# --- payouts ------------------------------------------------------------------------------------------------


def _dead_letter(payouts: PayoutDesk, *answers: Step | None) -> str:
    Gateway.objects.update(requery_cap=2, not_found_horizon_ms=1_000)
    payouts.bank.script = list(answers)
    intent = payouts.pay("1000.00")
    payouts.drive(passes=8)
    case = case_of(intent.reference)
    review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
    return intent.reference


def _came_back(payouts: PayoutDesk) -> str:
    payouts.bank.script = [None]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=3)
    with db_transaction.atomic():
        intent, payout = lock_payout(payout_of(intent).reference)
        found = return_payout(
            intent=intent,
            payout=payout,
            amount=payout_terms.paid_out(intent),
            provider={},
            why=Why("bank", "no such account"),
            now=clock.now(),
        )
    return found.reference


PAYOUTS: list[tuple[Resolution, Callable[[PayoutDesk], str], list[str]]] = [
    (R.SETTLE_PAYOUT, lambda p: _dead_letter(p, lost_after, server_error, server_error, None), ["intent.SETTLED"]),
    (R.RELEASE_PAYOUT, lambda p: _dead_letter(p, lost_before, None), ["intent.FAILED"]),
    (R.ADJUST, _came_back, ["payout.returned"]),
    (R.DISMISS, _came_back, ["payout.returned"]),
]


@pytest.mark.parametrize(("resolution", "arranged", "webhooks"), PAYOUTS, ids=lambda one: str(one)[:20])
def test_what_a_payouts_resolution_shows_is_what_happens(
    resolution: Resolution, arranged: Callable[[PayoutDesk], str], webhooks: list[str], payouts: PayoutDesk
) -> None:
    subject = arranged(payouts)
    stood, money = untouched(), payouts.money()
    offer = offer_of(subject, resolution)
    assert (untouched(), payouts.money()) == (stood, money), "looking changes nothing"
    assert offer.preview is not None, offer.why_not
    before, calls = Seen.now(), len(payouts.bank.calls)
    decide(subject, resolution)
    payouts.drive(passes=2)
    postings, topics = happened(before)
    assert (offer.preview.ends_in, offer.offer.ends_in) == (_state(subject),) * 2
    assert list(offer.preview.webhooks) == topics == webhooks
    assert _lines(offer) == Counter({line[1:]: count for line, count in postings.items()})
    assert list(offer.preview.remote) == []
    assert [kind for kind, _ in payouts.bank.calls[calls:] if kind == "ask"] == []


def test_every_choice_is_among_them() -> None:
    assert {one.resolution for one in CHOICES} | {resolution for resolution, *_ in PAYOUTS} == set(Resolution)


# --- what the books refuse -----------------------------------------------------------------------------------


def test_what_a_freeze_forbids_is_not_offered_and_says_why(desk: Desk) -> None:
    subject = arrange(desk, CHOICES[0])
    with db_transaction.atomic():
        freeze_order(order_reference=subject, reason="odd", actor="user:lena", now=clock.now())
    offer = offer_of(subject, R.DEBIT_PROVEN)
    assert (offer.preview, offer.why_not) == (
        None,
        "This order is frozen: no step is taken until the freeze is lifted.",
    )
    assert Posting.objects.filter(transaction__event_type="ORDER_DEBIT_CONFIRMED").count() == 0
