"""Trusted status reads fill the gaps that webhooks left before anything becomes an exception (0Pools, close checklist)."""

from datetime import timedelta

import pytest

from orders.models import Intent, Order
from reconciliation import close_runs
from reconciliation.close_runs import Report
from reconciliation.models import ExceptionCase
from tests.orders.conftest import bank, fixed_clock, payouts
from tests.orders.desk import START, reloaded
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.wallet import lost_after, lost_before
from tests.reconciliation.breaks import inbound_event
from tests.reconciliation.conftest import files
from tests.reconciliation.day import Day
from wallets.models import RemoteOperation

__all__ = ["bank", "files", "fixed_clock", "payouts"]

pytestmark = pytest.mark.usefixtures("database", "files")


def _close() -> Report:
    return close_runs.run(close=close_runs.ensure(environment="test", business_date=START.date()))


def _submitted_and_unheard(payouts: PayoutDesk, *script: object) -> Intent:
    payouts.bank.script = list(script)  # type: ignore[arg-type]  # steps
    intent = payouts.pay("1000.00")
    payouts.drive(passes=1, pause=timedelta(0))
    assert RemoteOperation.objects.get().state == "unknown"
    return intent


def test_the_close_reads_what_the_bank_says_and_finds_no_break_once_the_saga_has_gone_on(payouts: PayoutDesk) -> None:
    intent = _submitted_and_unheard(payouts, lost_after, None)
    asked = len(payouts.bank.calls)
    report = _close()
    assert (report.status_reads.asked, report.status_reads.resolved) == (1, 1)
    assert [kind for kind, _ in payouts.bank.calls[asked:]] == ["lookup"]
    assert RemoteOperation.objects.get().state == "confirmed"
    assert payout_of(intent).state != "settled", "a read moves no money by itself"
    payouts.drive(passes=2)
    assert Intent.objects.get(reference=intent.reference).state == "settled"
    payouts.later(hours=2)  # beyond the horizon
    report = _close()
    assert (report.status_reads.asked, sum(report.breaks.values()), ExceptionCase.objects.count()) == (0, 0, 0)


def test_a_read_that_is_told_nothing_leaves_all_as_it_was(payouts: PayoutDesk) -> None:
    intent = _submitted_and_unheard(payouts, lost_before)
    report = _close()
    assert (report.status_reads.asked, report.status_reads.resolved) == (1, 0)
    assert RemoteOperation.objects.get().state in ("unknown", "absent")
    assert Intent.objects.get(reference=intent.reference).state == "authorized"
    assert [kind for kind, _ in payouts.bank.calls].count("ask") == 1


def _order_with_a_dead_event(day: Day) -> tuple[Order, str]:
    order = day.processed()
    key = RemoteOperation.objects.get(owner=order.reference, leg="debit").key
    return order, inbound_event(day, order, state="dead", subjects=f'["{key}"]')


def test_an_event_that_was_never_applied_is_no_gap_once_a_read_has_told_the_same(day: Day) -> None:
    order, _ = _order_with_a_dead_event(day)
    day.close()
    assert day.standing() == set()
    day.plant("UPDATE wallets_remoteoperation SET state = 'prepared' WHERE owner = %s", order.reference)
    day.close()
    assert ("missing_webhook", order.reference) in {
        (case.type, case.order_reference) for case in ExceptionCase.objects.filter(type="missing_webhook")
    }
    assert reloaded(order).state == "processed"
