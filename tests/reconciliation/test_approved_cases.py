"""What two people approved is one break: changed, it is open again; gone, it heals."""

from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.approvals import OutdatedProposal
from ledger.models import Account, Move
from orders.models import Freeze, Order
from orders.operations.freeze_order import lift_freeze
from reconciliation.check_registry import lasting
from reconciliation.exception_approvals import approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import ExceptionCase
from tests.orders.desk import reloaded
from tests.reconciliation.day import DATE, Day

MAKER, CHECKER = "user:fiona", "user:frank"


def _proposed() -> ExceptionCase:
    case = assign_case(
        case_reference=ExceptionCase.objects.get().reference,
        owner="fiona",
        next_review_on=DATE + timedelta(days=9),
        actor=MAKER,
        now=clock.now(),
    )
    propose_approval(
        case_reference=case.reference, case_version=case.version, reason="seen", maker=MAKER, now=clock.now()
    )
    return case


def _approved() -> ExceptionCase:
    case = _proposed()
    return approve_exception(case_reference=case.reference, reason="agreed", checker=CHECKER, now=clock.now())


def _quoteless(day: Day) -> Order:
    order = day.processed()
    day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)
    day.close()
    return order


def _renamed(day: Day, order: Order) -> None:
    day.plant("UPDATE orders_order SET partner_order_id = 'another' WHERE reference = %s", order.reference)


def test_an_approved_break_of_the_same_amount_that_says_something_else_is_open_again(day: Day) -> None:
    order = _quoteless(day)
    before = _approved()
    assert day.close().cases.reopened == 0
    assert ExceptionCase.objects.get().state == "approved"
    _renamed(day, order)
    assert day.close().cases.reopened == 1
    case = ExceptionCase.objects.get()
    assert (case.state, case.resolution, case.detail["partner_order_id"]) == ("open", "", "another")
    assert case.amount_minor == before.amount_minor
    move = Move.objects.filter(subject=case.reference).order_by("id").last()
    assert move is not None
    assert (move.from_state, move.to_state, move.cause) == ("approved", "open", "approved break has changed")
    assert move.evidence is not None
    assert move.evidence["approved"]["detail"]["partner_order_id"] == order.partner_order_id
    assert move.evidence["found"]["detail"]["partner_order_id"] == "another"


def test_a_break_that_changed_since_it_was_proposed_is_not_approved(day: Day) -> None:
    order = _quoteless(day)
    case = _proposed()
    _renamed(day, order)
    day.close()
    with pytest.raises(OutdatedProposal):
        approve_exception(case_reference=case.reference, reason="agreed", checker=CHECKER, now=clock.now())
    assert ExceptionCase.objects.get().state == "assigned"


def test_an_approved_case_heals_when_its_break_is_gone_and_opens_when_it_is_back(day: Day) -> None:
    order = _quoteless(day)
    approved = _approved()
    day.plant(
        "UPDATE orders_order SET quote_reference = %s WHERE reference = %s", order.quote_reference, order.reference
    )
    report = day.close()
    assert (report.cases.healed, report.cases.standing) == (1, 0)
    case = ExceptionCase.objects.get()
    assert (case.state, case.resolution) == ("resolved", "Healed: the close of 2026-03-14 no longer finds it.")
    moves = (
        Move.objects.filter(subject=approved.reference).order_by("id").values_list("from_state", "to_state", "cause")
    )
    assert list(moves)[-2:] == [
        ("assigned", "approved", "exception approved"),
        ("approved", "resolved", "break no longer found"),
    ]
    assert reloaded(order).reconciliation_state == "matched"
    day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)
    day.close()
    assert ExceptionCase.objects.get().state == "open"


def test_a_balance_that_differs_by_as_much_as_was_approved_stays_approved_while_its_account_moves(day: Day) -> None:
    day.processed()
    account = Account.objects.get(address="revenue:orders", asset="EUR").pk
    day.plant("UPDATE ledger_account SET credits_posted = credits_posted + 7 WHERE id = %s", account)
    day.close()
    _approved()
    before = ExceptionCase.objects.get().detail
    day.processed()
    assert day.close().cases.reopened == 0
    case = ExceptionCase.objects.get()
    assert case.state == "approved"
    assert case.detail != before
    assert lasting(case.detail, of=case.type) == lasting(before, of=case.type)
    day.plant("UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE id = %s", account)
    day.close()
    assert ExceptionCase.objects.get().state == "open"


def test_a_conflict_that_changed_since_it_was_approved_freezes_its_order_again(day: Day) -> None:
    order = day.failed()
    day.plant("UPDATE wallets_remoteoperation SET state = 'confirmed' WHERE owner = %s", order.reference)
    day.close()
    assert ExceptionCase.objects.get().type == "terminal_state_conflict"
    _approved()
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:olga", now=clock.now())
    day.close()
    assert not Freeze.objects.filter(subject=order.reference, lifted_at=None).exists()
    _renamed(day, order)
    day.close()
    assert Freeze.objects.filter(subject=order.reference, lifted_at=None).count() == 1
