"""What people may do about a buy whose debit, trade or reverse is unknown: exactly what the evidence permits, and why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db.models import F

from ledger.controls import clock
from ledger.controls.approvals import OutdatedProposal
from ledger.models import Approval
from orders.models import ApprovalThreshold, Order, Return
from orders.operations import review_case
from orders.operations.return_trade import return_trade
from orders.operations.review_case import Decided, NotAllowed
from orders.reviews.offers import Offer, offers
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.lanes import open_lanes
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets.models import Gateway

pytestmark = pytest.mark.usefixtures("database")

TRUTH = None
_FAILED_LOOKUPS: list[Step | None] = [server_error] * 3

_NO_DEBIT = "No lookup shows the debit. Look it up first."
_NO_ABSENCE = "A lookup must find nothing after the not-found horizon, or find the debit rejected."
_NOT_BEGUN = "Nothing was given back yet: this order's compensation has not begun."
_PAST_DEBIT = "This order is past its debit: its compensation is under review."
_AT_VENUE = "This order is past its debit: its trade is under review."
_REVERSE_OPEN = "The reverse must be proven absent or rejected. Look it up first."
_NO_REVERSE = "No lookup shows the reverse. Look it up first."
_NOT_REJECTED = "The reverse must be rejected for sure."

_UNBEGUN = dict.fromkeys(("compensate_again", "compensation_proven", "compensation_settled_outside"), _NOT_BEGUN)
_BEGUN = dict.fromkeys(("debit_proven", "debit_absent", "compensate"), _PAST_DEBIT)
_EXECUTING = {**dict.fromkeys(("debit_proven", "debit_absent", "compensate"), _AT_VENUE), **_UNBEGUN}


@dataclass(frozen=True)
class Evidence:
    case: str
    leg: str
    answers: Sequence[Step | None]
    """What the leg's ask and one more lookup, after three that failed, meet."""
    allowed: set[str]
    why_not: Mapping[str, str]
    two_people: set[str] = field(default_factory=set)
    horizon_ms: int = 1_000
    venue: bool = False


EVIDENCE = [
    Evidence(
        "nothing is known of the debit",
        *("debit", [lost_after, server_error], set()),
        {"debit_proven": _NO_DEBIT, "debit_absent": _NO_ABSENCE, "compensate": _NO_DEBIT, **_UNBEGUN},
    ),
    Evidence(
        "the debit is not found before the horizon",
        *("debit", [lost_before, TRUTH], set()),
        {"debit_proven": _NO_DEBIT, "debit_absent": _NO_ABSENCE, "compensate": _NO_DEBIT, **_UNBEGUN},
        horizon_ms=86_400_000,
    ),
    Evidence(
        "a lookup shows the debit",
        *("debit", [lost_after, TRUTH], {"debit_proven", "compensate"}),
        {"debit_absent": "The debit is confirmed.", **_UNBEGUN},
    ),
    Evidence(
        "the debit is not found past the horizon",
        *("debit", [lost_before, TRUTH], {"debit_absent"}),
        {"debit_proven": _NO_DEBIT, "compensate": _NO_DEBIT, **_UNBEGUN},
    ),
    Evidence(
        "a lookup shows that the debit was rejected",
        *("debit", [lost_before, declined], {"debit_absent"}),
        {"debit_proven": _NO_DEBIT, "compensate": _NO_DEBIT, **_UNBEGUN},
    ),
    Evidence(
        "nothing is known of the reverse",
        *("reverse", [lost_after, server_error], set()),
        {
            **_BEGUN,
            "compensate_again": _REVERSE_OPEN,
            "compensation_proven": _NO_REVERSE,
            "compensation_settled_outside": _NOT_REJECTED,
        },
    ),
    Evidence(
        "a lookup shows the reverse",
        *("reverse", [lost_after, TRUTH], {"compensation_proven"}),
        {**_BEGUN, "compensate_again": _REVERSE_OPEN, "compensation_settled_outside": _NOT_REJECTED},
    ),
    Evidence(
        "the reverse is not found past the horizon",
        *("reverse", [lost_before, TRUTH], {"compensate_again"}),
        {**_BEGUN, "compensation_proven": _NO_REVERSE, "compensation_settled_outside": _NOT_REJECTED},
    ),
    Evidence(
        "the reverse is rejected for sure",
        *("reverse", [lost_before, declined], {"compensate_again", "compensation_settled_outside"}),
        {**_BEGUN, "compensation_proven": _NO_REVERSE},
        {"compensate_again", "compensation_settled_outside"},
    ),
    Evidence(
        "nothing is known of the trade",
        *("execute", [lost_after, server_error], set()),
        {
            **_EXECUTING,
            "trade_proven": "No lookup shows the trade. Look it up first.",
            "trade_absent": "A lookup must find nothing after the not-found horizon, or find the trade refused.",
        },
        venue=True,
    ),
    Evidence(
        "a lookup shows the trade",
        *("execute", [lost_after, TRUTH], {"trade_proven"}),
        {**_EXECUTING, "trade_absent": "The trade is executed."},
        venue=True,
    ),
    Evidence(
        "the debit at a venue's pool is unknown",
        *("debit", [lost_after, server_error], set()),
        {
            "debit_proven": _NO_DEBIT,
            "debit_absent": _NO_ABSENCE,
            "compensate": _NO_DEBIT,
            **_UNBEGUN,
            **dict.fromkeys(("trade_proven", "trade_absent"), "The trade's venue was not asked to execute it."),
        },
        venue=True,
    ),
]


def in_review(desk: Desk, evidence: Evidence) -> Order:
    lanes = open_lanes(desk) if evidence.venue else None
    Gateway.objects.update(not_found_horizon_ms=evidence.horizon_ms)
    asked, looked_up = evidence.answers
    desk.wallet.legs = {evidence.leg: [asked, *_FAILED_LOOKUPS, looked_up]}
    halted = "magic-halt.alice" if evidence.leg == "reverse" else "alice"
    order = lanes.order(reserves=False) if lanes else desk.order(user=halted)
    for _ in range(20):
        if reloaded(order).state == "manual_review":
            break
        desk.drive(passes=1, pause=timedelta(seconds=2))
    desk.later(minutes=5)
    review_case.look_up_now(case_reference=open_case(order).reference, actor="user:ops", now=clock.now())
    return reloaded(order)


def propose(order: Order, resolution: str, *, actor: str = "user:ops") -> Decided:
    case = open_case(order)
    return review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution=resolution,
        reason="as the lookups show",
        agreement="their letter",
        actor=actor,
        now=clock.now(),
    )


def offered(order: Order) -> dict[str, Offer]:
    return {offer.resolution.value: offer for offer in offers(case=open_case(order))}


@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda one: one.case)
def test_resolutions_of_a_buy_are_those_that_the_evidence_permits(evidence: Evidence, desk: Desk) -> None:
    order = in_review(desk, evidence)
    found = offered(order)
    assert {name for name, offer in found.items() if offer.allowed} == evidence.allowed
    assert {name: offer.why_not for name, offer in found.items() if not offer.allowed} == evidence.why_not
    assert {name for name, offer in found.items() if offer.allowed and offer.two_people} == evidence.two_people
    before, calls = books.world(), list(desk.wallet.calls)
    for name, why_not in evidence.why_not.items():
        with pytest.raises(NotAllowed) as refused:
            propose(order, name)
        assert refused.value.message == why_not
    for name in ("credit_proven", "credit_again", "settled_outside", "unwind", "give_back", "settle_payout"):
        with pytest.raises(NotAllowed):
            propose(order, name)
    assert (books.world(), desk.wallet.calls) == (before, calls)


_SHOWN = EVIDENCE[2]


def test_a_proposal_is_outdated_when_its_order_has_moved_meanwhile(desk: Desk) -> None:
    """The case is as it was: it is the version of what it decides that the second person would approve unseen."""
    ApprovalThreshold.objects.update(amount_minor=1)
    order = in_review(desk, _SHOWN)
    assert not propose(order, "debit_proven").resolved
    _refused_as_outdated(desk, order.reference, bump=lambda: Order.objects.update(version=F("version") + 1))
    assert reloaded(order).state == "manual_review"


def test_a_proposal_is_outdated_when_its_return_has_moved_meanwhile(desk: Desk) -> None:
    order = desk.order()
    desk.drive(passes=1)
    found = return_trade(
        trade_reference=trade_of(order).reference, reason="their letter", actor="user:lena", now=clock.now()
    )
    assert not propose(Order(reference=found.reference), "dismiss").resolved
    _refused_as_outdated(desk, found.reference, bump=lambda: Return.objects.update(version=F("version") + 1))
    assert Return.objects.get().state == "open"


def _refused_as_outdated(desk: Desk, subject: str, *, bump: object) -> None:
    assert callable(bump)
    bump()
    case = open_case(Order(reference=subject))
    before, calls = books.world(), list(desk.wallet.calls)
    with pytest.raises(OutdatedProposal):
        review_case.approve_resolution(
            case_reference=case.reference,
            case_version=case.version,
            reason="agreed",
            actor="user:lead",
            now=clock.now(),
        )
    assert (books.world(), desk.wallet.calls) == (before, calls)
    assert Approval.objects.get().decision == "proposed"


@pytest.mark.parametrize(
    ("threshold", "two"),
    [(10_001, False), (10_000, True), (None, True)],
    ids=["below it", "at it", "an asset without one"],
)
def test_a_second_person_is_needed_from_the_threshold_on_and_where_there_is_none(
    threshold: int | None, two: bool, desk: Desk
) -> None:
    order = in_review(desk, _SHOWN)
    if threshold is None:
        ApprovalThreshold.objects.filter(asset="EUR").update(asset="KWD")
    else:
        ApprovalThreshold.objects.filter(asset="EUR").update(amount_minor=threshold)
    assert {offered(order)[name].two_people for name in ("debit_proven", "compensate")} == {two}
    assert propose(order, "debit_proven").resolved is not two
    assert reloaded(order).state == ("manual_review" if two else "operator_debited")
