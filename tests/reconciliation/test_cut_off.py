"""A run that looks no further than so many suspects says so: in its counts, above the cases, and it is not signed."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from orders.models import Order
from reconciliation import close_runs, findings, signing
from reconciliation.check import Check
from reconciliation.check_registry import every_check
from reconciliation.checklist import checklist_of
from reconciliation.models import CloseRun, ExceptionCase
from tests.reconciliation.day import Day
from tests.reconciliation.signatures import over, submit

pytestmark = pytest.mark.usefixtures("database")


def _narrow(check: Check, most: int) -> Check:
    """Have a check suspect so many only."""
    query = re.sub(r"LIMIT \d+", f"LIMIT {most + 1}", check.query)
    return replace(check, query=query, suspects=tuple((step, most) for step, _ in check.suspects))


def _off_by(day: Day, order: Order, minor: int) -> None:
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = p.amount_minor + %s FROM ledger_transaction x"
        " WHERE x.id = p.transaction_id AND x.subject = %s AND x.event_type = 'ORDER_DEBIT_CONFIRMED'",
        *(minor, order.reference),
    )
    day.refold()


def test_every_end_of_a_checks_suspects_is_told_of() -> None:
    ends = 0
    for check in every_check():
        limits = Counter(int(limit) for limit in re.findall(r"LIMIT (\d+)", check.query))
        assert limits == Counter(most + 1 for _, most in check.suspects), check.name
        assert all(f"{step} AS MATERIALIZED" in check.query for step, _ in check.suspects), check.name
        ends += len(check.suspects)
    assert ends == 9


def test_a_run_that_suspects_more_than_it_looks_at_says_so_and_is_not_signed(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the suspects is a break: nothing else tells of the cut."""
    day.in_review()
    day.in_review()
    broken = day.processed()
    _off_by(day, broken, 1)
    over(day)
    day.close()
    (case,) = ExceptionCase.objects.filter(type="ledger_mismatch")
    _off_by(day, broken, -1)
    checks = every_check()
    narrow = [_narrow(one, 1) if one.name == "ledger_mismatch" else one for one in checks]
    with monkeypatch.context() as narrowed:
        narrowed.setattr(close_runs, "every_check", lambda: narrow)
        report = day.close()
    assert report.cut_off == {"ledger_mismatch"}
    assert report.breaks["ledger_mismatch"] == 0
    close = CloseRun.objects.get()
    assert close.counts["cut_off"] == ["ledger_mismatch"]
    assert ExceptionCase.objects.get(pk=case.pk).state == "open", "what was not looked at does not heal"
    assert "Ledger mismatch: cut off, there were more than a run looks at" in checklist_of(close).points[2].other
    with pytest.raises(signing.ChecklistIncomplete, match=r"\b3\b"):
        submit()
    assert day.close().cut_off == frozenset()
    assert checklist_of(CloseRun.objects.get()).points[2].other == []


def test_a_run_that_finds_more_than_it_keeps_says_so(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        order = day.processed()
        day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)
    with monkeypatch.context() as narrowed:
        narrowed.setattr(findings, "MAXIMUM_PER_CHECK", 1)
        report = day.close()
    assert (report.cut_off, report.breaks["missing_quote"]) == (frozenset({"missing_quote"}), 1)
    report = day.close()
    assert (report.cut_off, report.breaks["missing_quote"]) == (frozenset(), 2)
