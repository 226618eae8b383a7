"""What people may do about a sell whose credit is rejected or unknown: exactly what the evidence permits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from ledger.controls import clock
from ledger.controls.approvals import SelfApproval
from ledger.controls.refusals import Refusal
from ledger.models import Approval, Hold, Move, Transaction
from orders.models import ApprovalThreshold, Order, ReviewCase
from orders.operations import review_case
from orders.operations.review_case import AgreementMissing, Decided, NotAllowed
from orders.reviews.offers import Offer, offers
from reconciliation.previews import foreseen
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets.models import Gateway, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

TRUTH = None
LETTER = "Their letter of 14 March: net it with the week's settlement."


def _in_review(desk: Desk, credit: Sequence[Step | None], amount: str = "50.00") -> Order:
    desk.holding()
    desk.wallet.legs = {"credit": list(credit)}
    order = desk.sell(amount)
    desk.drive(passes=12)
    order = reloaded(order)
    assert order.state == "manual_review"
    return order


def _look_up(order: Order) -> None:
    review_case.look_up_now(case_reference=open_case(order).reference, actor="user:ops", now=clock.now())


def _propose(order: Order, resolution: str, *, actor: str = "user:ops", agreement: str = LETTER) -> Decided:
    case = open_case(order)
    return review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution=resolution,
        reason="as agreed",
        agreement=agreement,
        actor=actor,
        now=clock.now(),
    )


def _approve(order: Order, *, actor: str = "user:lead") -> Decided:
    case = open_case(order)
    return review_case.approve_resolution(
        case_reference=case.reference, case_version=case.version, reason="agreed", actor=actor, now=clock.now()
    )


def _offers(order: Order) -> dict[str, Offer]:
    return {offer.resolution.value: offer for offer in offers(case=open_case(order))}


@dataclass(frozen=True)
class Evidence:
    case: str
    credit: Sequence[Step | None]
    gateway: dict[str, object]
    then: Step | None
    """What one more lookup meets."""
    allowed: set[str]
    two_people: set[str]


EVIDENCE = [
    Evidence("nothing is known", [lost_after, server_error], {}, server_error, set(), set()),
    Evidence(
        "not found before the horizon",
        [lost_before, server_error],
        {"not_found_horizon_ms": 86_400_000},
        TRUTH,
        set(),
        set(),
    ),
    Evidence("a lookup shows it", [lost_after, server_error], {}, TRUTH, {"credit_proven"}, set()),
    Evidence(
        "not found past the horizon", [lost_before, server_error], {}, TRUTH, {"credit_again", "unwind"}, {"unwind"}
    ),
    Evidence(
        "rejected for sure",
        [declined],
        {},
        TRUTH,
        {"credit_again", "settled_outside", "unwind"},
        {"credit_again", "settled_outside", "unwind"},
    ),
]


@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda one: one.case)
def test_resolutions_offered_are_those_that_the_evidence_permits(evidence: Evidence, desk: Desk) -> None:
    Gateway.objects.update(**evidence.gateway)
    order = _in_review(desk, evidence.credit)
    desk.wallet.legs["credit"] = [evidence.then]
    _look_up(order)
    found = _offers(order)
    assert list(found) == ["credit_proven", "credit_again", "settled_outside", "unwind"]
    assert {name for name, offer in found.items() if offer.allowed} == evidence.allowed
    assert {name for name, offer in found.items() if offer.allowed and offer.two_people} == evidence.two_people
    before = books.world()
    for name, offer in found.items():
        assert bool(offer.why_not) == (not offer.allowed), name
        if offer.allowed:
            continue
        with pytest.raises(NotAllowed) as refused:
            _propose(order, name)
        assert refused.value.message == offer.why_not
    for name in ("debit_proven", "debit_absent", "compensate", "keep"):
        with pytest.raises(NotAllowed):
            _propose(order, name)
    assert books.world() == before


def test_credit_proven_ends_processed_and_asks_nothing(desk: Desk) -> None:
    order = _in_review(desk, [lost_after, server_error])
    desk.wallet.legs["credit"] = [TRUTH]
    _look_up(order)
    calls = list(desk.wallet.calls)
    preview = _offers(order)["credit_proven"]
    assert preview.ends_in == "processed"
    shown = foreseen(preview, open_case(order)).preview
    assert shown is not None
    assert [(one.debit, one.credit, one.amount.minor) for one in shown.postings] == [
        ("transit:orders:acme", "operators:acme:due", int(order.target_minor))
    ]
    assert _propose(order, "credit_proven").resolved
    assert reloaded(order).state == "processed"
    desk.drive(passes=3)
    assert desk.wallet.calls == calls
    _assert_paid_out(order)


def test_credit_is_asked_again_with_the_same_key_when_absence_is_proven(desk: Desk) -> None:
    order = _in_review(desk, [lost_before, TRUTH])
    _look_up(order)
    assert _propose(order, "credit_again").resolved
    assert reloaded(order).state == "operator_credit_pending"
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    asks = [key for kind, key in desk.wallet.calls if kind == "ask"]
    assert asks == [f"{order.reference}:credit:v1"] * 2
    _assert_paid_out(order)


def test_credit_gets_a_next_version_only_when_rejection_is_proven_and_by_two_people(desk: Desk) -> None:
    order = _in_review(desk, [declined, TRUTH])
    decided = _propose(order, "credit_again")
    assert not decided.resolved
    assert RemoteOperation.objects.filter(owner=order.reference).count() == 1
    before = books.world()
    with pytest.raises(SelfApproval):
        _approve(order, actor="user:ops")
    assert books.world() == before
    assert _approve(order).resolved
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert [key for _, key in desk.wallet.calls] == [f"{order.reference}:credit:v{version}" for version in (1, 2)]
    _assert_paid_out(order)


def test_second_rejection_is_a_review_again_and_a_third_version(desk: Desk) -> None:
    order = _in_review(desk, [declined, declined, TRUTH])
    for _ in range(2):
        _propose(order, "credit_again")
        _approve(order)
        desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert ReviewCase.objects.filter(subject=order.reference, state="resolved").count() == 2
    asks = [key for kind, key in desk.wallet.calls if kind == "ask"]
    assert asks == [f"{order.reference}:credit:v{version}" for version in (1, 2, 3)]
    _assert_paid_out(order)


def test_settled_outside_is_processed_and_marked_for_net_settlement(desk: Desk) -> None:
    order = _in_review(desk, [declined])
    assert not _propose(order, "settled_outside").resolved
    assert _approve(order).resolved
    assert (reloaded(order).state, reloaded(order).status_reason) == ("processed", "settled_outside")
    calls = list(desk.wallet.calls)
    desk.drive(passes=3)
    assert desk.wallet.calls == calls
    booked = Transaction.objects.get(subject=order.reference, event_type="ORDER_CREDIT_CONFIRMED")
    assert booked.metadata == {"settlement": "net"}
    _assert_paid_out(order)


def test_compensation_settled_outside_is_compensated_and_marked_for_net_settlement(desk: Desk) -> None:
    desk.wallet.legs = {"reverse": [declined]}
    order = desk.order(user="magic-halt.alice")
    desk.drive(passes=3)
    assert reloaded(order).status_reason == "reverse_rejected"
    assert not _propose(order, "compensation_settled_outside").resolved
    assert _approve(order).resolved
    assert (reloaded(order).state, reloaded(order).status_reason) == ("compensated", "settled_outside")
    booked = Transaction.objects.get(subject=order.reference, event_type="ORDER_COMPENSATION")
    assert booked.metadata == {"settlement": "net"}
    assert books.balances()["transit:orders:acme", "EUR"][:2] == (10_000, 10_000)


@pytest.mark.parametrize("agreement", ["", "  \n", "x" * 501], ids=["none", "blank", "too long"])
@pytest.mark.parametrize("leg", ["credit", "reverse"])
def test_nothing_is_settled_outside_without_saying_what_was_agreed(leg: str, agreement: str, desk: Desk) -> None:
    """DESIGN, section 6: agreement as evidence. The reason of a person is none."""
    if leg == "credit":
        order, resolution = _in_review(desk, [declined]), "settled_outside"
    else:
        desk.wallet.legs = {"reverse": [declined]}
        order, resolution = desk.order(user="magic-halt.alice"), "compensation_settled_outside"
        desk.drive(passes=3)
    before = books.world()
    with pytest.raises(AgreementMissing):
        _propose(order, resolution, agreement=agreement)
    assert books.world() == before


def test_agreement_is_kept_with_the_proposal_and_with_the_move_that_it_justifies(desk: Desk) -> None:
    order = _in_review(desk, [declined])
    _propose(order, "settled_outside")
    assert Approval.objects.get().content["agreement"] == LETTER
    _approve(order)
    (moved,) = Move.objects.filter(subject=order.reference, to_state="processed")
    assert moved.evidence is not None
    assert (moved.evidence["agreement"], moved.evidence["reason"]) == (LETTER, "as agreed")


def test_agreement_is_nobodys_evidence_where_a_lookup_is(desk: Desk) -> None:
    order = _in_review(desk, [declined])
    _propose(order, "credit_again")
    assert "agreement" not in Approval.objects.get().content


@pytest.mark.parametrize("credit", [[declined], [lost_before, TRUTH]], ids=["rejected", "absent"])
def test_unwound_sell_leaves_no_posting_standing(credit: list[Step | None], desk: Desk) -> None:
    desk.holding()
    before = books.balances()
    desk.wallet.legs = {"credit": list(credit)}
    order = desk.sell()
    desk.drive(passes=12)
    _look_up(order)
    preview = _offers(order)["unwind"]
    shown = foreseen(preview, open_case(order)).preview
    assert shown is not None
    assert (preview.ends_in, preview.two_people, len(shown.postings)) == ("failed", True, 4)
    ApprovalThreshold.objects.update(amount_minor=10**12)
    assert not _propose(order, "unwind").resolved
    assert _approve(order).resolved
    order = reloaded(order)
    assert (order.state, order.status_reason, trade_of(order).state) == ("failed", "unwound_by_review", "returned")
    after = books.balances()
    assert {place: _net(row) for place, row in after.items()} == {place: _net(row) for place, row in before.items()}
    assert books.topics(trade_of(order).reference) == ["trade.reserved", "trade.settled", "trade.returned"]
    calls = list(desk.wallet.calls)
    desk.drive(passes=20)
    assert desk.wallet.calls == calls
    assert desk.sell("100.00").state == "queued", "the position is back"


def test_unwinding_is_refused_with_the_amount_missing_when_the_pool_cannot_give_it_back(desk: Desk) -> None:
    from ledger import journal
    from ledger.drafts import Draft
    from ledger.money import Money

    order = _in_review(desk, [declined])
    _propose(order, "unwind")
    held = books.balances()["pools:EUR-USDT", "USDT"]
    left = 49_000_000
    journal.post_all(
        environment="test",
        drafts=[
            Draft(
                event_type="POOL_FUNDING",
                key="withdrawn",
                subject="pool:EUR-USDT",
                amounts={"amount": Money(held[1] - held[0] - left, "USDT")},
                accounts={"world": "pools:EUR-USDT", "pool": "@world"},
            )
        ],
    )
    before, calls = books.world(), list(desk.wallet.calls)
    with pytest.raises(NotAllowed) as refused:
        _approve(order)
    assert refused.value.message == "The pool lacks 1.000000 USDT to give it back."
    assert (books.world(), desk.wallet.calls) == (before, calls)
    assert reloaded(order).state == "manual_review"
    assert not _offers(order)["unwind"].allowed


def test_nobody_resolves_a_sell_twice_when_the_case_moved_meanwhile(desk: Desk) -> None:
    order = _in_review(desk, [declined])
    stale = open_case(order)
    _propose(order, "credit_again")
    refusals: list[type[Refusal]] = []
    for resolution in ("unwind", "settled_outside"):
        with pytest.raises(Refusal) as refused:
            review_case.propose_resolution(
                case_reference=stale.reference,
                case_version=stale.version,
                resolution=resolution,
                reason="as agreed",
                actor="user:other",
                now=clock.now(),
            )
        refusals.append(type(refused.value))
    assert [refusal.__name__ for refusal in refusals] == ["StaleVersion", "StaleVersion"]
    _approve(order)
    desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(order).state == "manual_review", "declined again"


def _net(row: tuple[int, ...]) -> tuple[int, int, int]:
    return row[1] - row[0], row[2], row[3]


def _assert_paid_out(order: Order) -> None:
    """The position is given, the payout is owed to the operator, nothing is in transit, no hold is left."""
    standing = books.balances()
    assert standing["positions:acme:alice", "USDT"][0] == int(order.source_minor)
    due = standing["operators:acme:due", "EUR"]
    assert due[0] - due[1] == 10_000 - int(order.target_minor)
    assert standing["transit:orders:acme", "EUR"][0] == standing["transit:orders:acme", "EUR"][1]
    assert not Hold.objects.filter(state="open").exists()
    assert trade_of(order).state == "settled"
