"""What comes after the end: a confirmation that arrives when the order has ended otherwise (DESIGN, section 5, step 6).

The order stays as it is; a return of its own is opened; people adjust, dismiss, give back or keep it.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from django.db import DatabaseError, connection
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.approvals import SelfApproval
from orders.models import Freeze, Order, Return, ReviewCase, SagaRun
from orders.operations import review_case
from orders.operations.freeze_order import freeze_order, lift_freeze
from orders.operations.open_return import hear_late_confirmation
from orders.operations.review_case import NotAllowed
from orders.reviews.offers import offers
from orders.sagas import news
from tests.orders import books
from tests.orders.desk import Desk, reloaded
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets.gateway_port import RemoteRequest
from wallets.models import RemoteOperation
from wallets.remote_operations import look_up
from webhooks import routing

pytestmark = pytest.mark.usefixtures("database")

LATE = ("LATE_EFFECT", "posted", "operators:acme:due", "transit:orders:acme", "EUR", 10_000)
GIVEN_BACK = ("RETURN_GIVEN_BACK", "posted", "transit:orders:acme", "operators:acme:due", "EUR", 10_000)
KEPT = ("RETURN_KEPT", "posted", "transit:orders:acme", "operators:acme:due", "EUR", 10_000)


def failed_order(desk: Desk) -> Order:
    """An order that failed in review, its debit proven absent."""
    desk.wallet.legs = {"debit": [lost_before, None]}
    order = desk.order()
    desk.drive(passes=12)
    decide(order.reference, "debit_absent")
    assert reloaded(order).state == "failed"
    return order


def confirmed_late(desk: Desk) -> Return:
    """The wallet applies that debit after all, past every horizon, and a lookup shows it."""
    failed_order(desk)
    key = RemoteOperation.objects.get().key
    desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
    look_up(key)
    drains.drain("relay")
    return Return.objects.get()


def open_case(subject: str) -> ReviewCase:
    return ReviewCase.objects.exclude(state="resolved").get(subject=subject)


def decide(subject: str, resolution: str, *, second: str = "") -> bool:
    """Propose by olga and, with `second`, have that person approve; tell whether it is resolved."""
    case = open_case(subject)
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution=resolution,
        reason="as the lookups show",
        agreement="their letter of 14 March",
        actor="user:olga",
        now=clock.now(),
    )
    if not second:
        return decided.resolved
    assert not decided.resolved
    case = open_case(subject)
    approved = review_case.approve_resolution(
        case_reference=case.reference, case_version=case.version, reason="agreed", actor=second, now=clock.now()
    )
    return approved.resolved


def test_return_and_case_are_opened_when_a_confirmation_arrives_after_the_order_failed(desk: Desk) -> None:
    found = confirmed_late(desk)
    order = Order.objects.get()
    assert (order.state, order.version) == ("failed", 5), "the order stays as it is"
    assert (found.state, found.kind, found.leg) == ("open", "late_effect", "debit")
    assert (found.order_reference, found.asset, int(found.amount_minor)) == (order.reference, "EUR", 10_000)
    assert found.operation_key == f"{order.reference}:debit:v1"
    case = open_case(found.reference)
    assert (case.reason, int(case.amount_minor)) == ("late_debit", 10_000)
    assert books.topics(found.reference) == ["order.returned"]
    assert books.lines(subject=found.reference).total() == 0, "nothing is booked before people say that it is so"


def test_one_return_is_opened_when_the_relay_tells_it_twice(desk: Desk) -> None:
    told: list[routing.RelayedEvent] = []
    routing.listen("remote_operation.late", told.append)
    try:
        confirmed_late(desk)
    finally:
        routing.silence("remote_operation.late", told.append)
    assert len(told) == 1
    hear_late_confirmation(told[0])
    assert Return.objects.count() == ReviewCase.objects.filter(reason="late_debit").count() == 1


def test_no_return_is_opened_when_the_late_confirmation_finds_its_order_in_review(desk: Desk) -> None:
    """It is evidence there: the case offers *debit proven*."""
    desk.wallet.legs = {"debit": [lost_before, None]}
    order = desk.order()
    desk.drive(passes=12)
    key = RemoteOperation.objects.get().key
    assert RemoteOperation.objects.get().state == "absent"
    desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
    look_up(key)
    drains.drain("relay")
    assert RemoteOperation.objects.get().late
    assert Return.objects.count() == 0
    decide(order.reference, "debit_proven")
    desk.drive(passes=3)
    assert reloaded(order).state == "processed"
    assert Return.objects.count() == 0


@dataclass(frozen=True)
class Scenario:
    """`decisions` are (resolution, second person or ""); after each the saga is driven."""

    case: str
    credit: list[Step | None]
    decisions: list[tuple[str, str]]
    ends_in: str
    calls: dict[str, int]
    lines: list[books.Line] = field(default_factory=list)
    then: str = ""
    """The reason of the case that waits in the end."""


SCENARIOS = [
    Scenario("dismissed as a mistake", [None], [("dismiss", "user:lena")], "dismissed", {}),
    Scenario("adjusted", [None], [("adjust", "")], "adjusted", {}, [LATE], "return_adjusted"),
    Scenario(
        "given back",
        [None],
        [("adjust", ""), ("give_back", "user:lena")],
        "given_back",
        {"ask credit:v1": 1},
        [LATE, GIVEN_BACK],
    ),
    Scenario("kept", [None], [("adjust", ""), ("keep", "user:lena")], "kept", {}, [LATE, KEPT]),
    Scenario(
        "giving back unknown, found by its lookups",
        [lost_after, None],
        [("adjust", ""), ("give_back", "user:lena")],
        "given_back",
        {"ask credit:v1": 1, "lookup credit:v1": 1},
        [LATE, GIVEN_BACK],
    ),
    Scenario(
        "giving back unknown at the cap",
        [lost_after, server_error],
        [("adjust", ""), ("give_back", "user:lena")],
        "adjusted",
        {"ask credit:v1": 1, "lookup credit:v1": 3},
        [LATE],
        "give_back_unknown",
    ),
    Scenario(
        "giving back rejected, then asked again under the next version",
        [declined, None],
        [("adjust", ""), ("give_back", "user:lena"), ("give_back_again", "user:lena")],
        "given_back",
        {"ask credit:v1": 1, "ask credit:v2": 1},
        [LATE, GIVEN_BACK],
    ),
    Scenario(
        "giving back rejected, then kept",
        [declined, None],
        [("adjust", ""), ("give_back", "user:lena"), ("keep", "user:lena")],
        "kept",
        {"ask credit:v1": 1},
        [LATE, KEPT],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.case)
def test_return_ends_as_people_decide(scenario: Scenario, desk: Desk) -> None:
    found = confirmed_late(desk)
    desk.wallet.legs["credit"] = list(scenario.credit)
    desk.wallet.calls.clear()
    for resolution, second in scenario.decisions:
        assert decide(found.reference, resolution, second=second)
        for _ in range(12):
            desk.drive(passes=1)
            if Return.objects.get().terminal or open_cases(found.reference):
                break
    found = Return.objects.get()
    assert found.state == scenario.ends_in
    shown = Counter(f"{kind} {key.partition(':')[2]}" for kind, key in desk.wallet.calls)
    assert shown == scenario.calls
    assert books.lines(subject=found.reference) == Counter(scenario.lines)
    assert [case.reason for case in open_cases(found.reference)] == ([scenario.then] if scenario.then else [])
    assert reloaded(Order.objects.get()).state == "failed"
    if found.terminal:
        debits, credits, *pending = books.balances()[("transit:orders:acme", "EUR")]
        assert debits == credits, "transit is zero at rest"
        assert pending == [0, 0]


def open_cases(subject: str) -> list[ReviewCase]:
    return list(ReviewCase.objects.filter(subject=subject).exclude(state="resolved"))


def test_unknown_giving_back_is_proven_by_a_lookup_and_two_people(desk: Desk) -> None:
    found = confirmed_late(desk)
    desk.wallet.legs["credit"] = [lost_after, server_error]
    decide(found.reference, "adjust")
    decide(found.reference, "give_back", second="user:lena")
    for _ in range(6):
        desk.drive(passes=1)
    case = open_case(found.reference)
    assert case.reason == "give_back_unknown"
    allowed = {offer.resolution.value for offer in offers(case=case) if offer.allowed}
    assert allowed == set(), "nothing is proven yet"
    desk.wallet.legs["credit"] = [None]
    review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
    allowed = {offer.resolution.value for offer in offers(case=case) if offer.allowed}
    assert allowed == {"given_back_proven"}
    assert decide(found.reference, "given_back_proven", second="user:lena")
    assert Return.objects.get().state == "given_back"
    assert books.lines(subject=found.reference) == Counter([LATE, GIVEN_BACK])


@pytest.mark.parametrize("resolution", ["give_back", "keep", "given_back_proven", "give_back_again", "debit_absent"])
def test_nothing_changes_when_a_resolution_does_not_fit_an_open_return(resolution: str, desk: Desk) -> None:
    found = confirmed_late(desk)
    before = books.world()
    with pytest.raises(NotAllowed):
        decide(found.reference, resolution)
    assert books.world() == before


def test_nobody_approves_their_own_giving_back(desk: Desk) -> None:
    found = confirmed_late(desk)
    decide(found.reference, "adjust")
    assert not decide(found.reference, "give_back")
    before = books.world()
    case = open_case(found.reference)
    with pytest.raises(SelfApproval):
        review_case.approve_resolution(
            case_reference=case.reference, case_version=case.version, reason="mine", actor="user:olga", now=clock.now()
        )
    assert books.world() == before
    assert RemoteOperation.objects.filter(owner=found.reference).count() == 0


def test_nothing_is_asked_for_the_return_of_a_frozen_order(desk: Desk) -> None:
    found = confirmed_late(desk)
    decide(found.reference, "adjust")
    decide(found.reference, "give_back", second="user:lena")
    with db_transaction.atomic():
        freeze_order(order_reference=found.order_reference, reason="look", actor="user:lena", now=clock.now())
    desk.wallet.calls.clear()
    desk.drive(passes=3)
    assert desk.wallet.calls == []
    assert Return.objects.get().state == "adjusted"


@pytest.mark.parametrize("credit", [[None], [lost_after, None], [declined, None]], ids=["found", "unknown", "declined"])
def test_giving_back_survives_a_death_at_every_point(
    credit: list[Step | None], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever dies, the credit is asked once, and the books end as without the death, or people decide."""
    at, ends = 0, set()
    while True:
        desk.wallet.calls.clear()
        found = _ready_to_give_back(desk, credit, number=at)
        killer = Killer(at=at)
        try:
            with killing(killer, desk.wallet, monkeypatch):
                _until_stopped(desk, found)
        except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
            assert killer.dead
            connection.close()
            desk.later(seconds=40)
            _until_stopped(desk, found)
        asks = Counter(key for kind, key in desk.wallet.calls if kind == "ask" and ":credit:" in key)
        assert set(asks.values()) <= {1}, (at, asks)
        found = Return.objects.get(pk=found.pk)
        waits = [case.reason for case in open_cases(found.reference)]
        ends.add((found.state, *waits))
        expected = [LATE, GIVEN_BACK] if found.state == "given_back" else [LATE]
        assert books.lines(subject=found.reference) == Counter(expected), at
        assert found.state == "given_back" or waits, f"point {at}: nobody looks at it any more"
        if not killer.dead:
            break
        at += 1
    assert at >= 10
    assert ends <= {("given_back",), ("adjusted", "give_back_unknown"), ("adjusted", "give_back_rejected")}


def _ready_to_give_back(desk: Desk, credit: list[Step | None], *, number: int) -> Return:
    desk.wallet.legs = {"debit": [lost_before, None], "credit": list(credit)}
    order = desk.order()
    desk.drive(passes=12)
    decide(order.reference, "debit_absent")
    key = f"{order.reference}:debit:v1"
    desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
    look_up(key)
    drains.drain("relay")
    found = Return.objects.get(order_reference=order.reference)
    decide(found.reference, "adjust")
    decide(found.reference, "give_back", second="user:lena")
    return found


def _until_stopped(desk: Desk, found: Return) -> None:
    for _ in range(12):
        desk.drive(passes=1)
        if Return.objects.get(pk=found.pk).terminal or open_cases(found.reference):
            return


def test_ended_order_looks_once_more_when_its_saga_is_made_due_by_news(desk: Desk) -> None:
    order = failed_order(desk)
    key = RemoteOperation.objects.get().key
    desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
    SagaRun.objects.create(subject=order.reference, environment="test", available_at=clock.now())
    desk.drive(passes=2)
    drains.drain("relay")
    assert Return.objects.get().operation_key == key
    assert reloaded(order).state == "failed"
    assert SagaRun.objects.count() == 0


@pytest.mark.parametrize("lifted", [False, True], ids=["it has ended", "it ends later"])
def test_a_giving_back_that_was_rejected_and_asked_again_is_a_late_effect_when_it_is_confirmed(
    lifted: bool, desk: Desk
) -> None:
    """Both versions reached the operator: the second belongs to the return, the first is a return of its own."""
    found = _ready_to_give_back(desk, [declined, None], number=0)
    _until_stopped(desk, found)
    first = RemoteOperation.objects.get(owner=found.reference)
    assert (first.state, open_case(found.reference).reason) == ("rejected", "give_back_rejected")

    def confirmed_after_all() -> None:
        desk.wallet.refused.pop(first.key)
        desk.wallet.applied[first.key] = RemoteRequest(first.key, "credit", "EUR", 10_000, "100.00", "alice", "")
        news.tell(found.reference, environment="test", now=clock.now())
        drains.drain("sagas")
        drains.drain("relay")

    if lifted:
        confirmed_after_all()
        assert Freeze.objects.get().subject == found.order_reference
        with db_transaction.atomic():
            lift_freeze(order_reference=found.order_reference, actor="user:lead", now=clock.now())
        assert decide(found.reference, "keep", second="user:lena")
        drains.drain("relay")
    else:
        decide(found.reference, "give_back_again", second="user:lena")
        desk.drive(passes=3)
        assert Return.objects.get(pk=found.pk).state == "given_back"
        confirmed_after_all()
        assert not Freeze.objects.exists()
    late = Return.objects.exclude(pk=found.pk).get()
    assert (late.kind, late.leg, late.operation_key) == ("late_effect", "credit", first.key)
    assert (int(late.amount_minor), late.gives_back_by) == (10_000, "debit")
    drains.drain("relay")
    assert Return.objects.count() == 2
