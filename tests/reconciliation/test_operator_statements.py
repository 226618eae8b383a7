"""What moved between an operator and us on a date, what is owed, and its net settlement: by two people, never twice."""

import csv
import io
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connections

from ledger import adjustments, periods
from ledger.controls import approvals, clock
from ledger.controls.refusals import NotFound
from ledger.drafts import Draft
from ledger.models import Account, Approval, Posting, Transaction
from ledger.money import Money
from reconciliation import operator_statements
from reconciliation.operator_statements import Movement, OperatorStatement
from tests.orders.books import world
from tests.orders.desk import open_desk
from tests.orders.wallet import ScriptedWallet
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import BANK_HEADER, bank_source, bring, open_bank, rules, text
from wallets.models import Operator
from wallets.operations import settle_operator
from wallets.operations.settle_operator import (
    DateNotOver,
    NothingToSettle,
    ReasonMissing,
    SettledAlready,
    SettlementProposed,
    approve_settlement,
    propose_settlement,
    refuse_settlement,
)

NEXT = DATE + timedelta(days=1)


def acme() -> Operator:
    return Operator.objects.get(slug="acme")


def statement(on: date = DATE, *, operator: Operator | None = None) -> OperatorStatement:
    return operator_statements.statement(
        operator=operator or acme(), environment="test", business_date=on, now=clock.now()
    )


def propose(on: date = DATE, **changes: Any) -> Approval:
    asked: dict[str, Any] = {
        "environment": "test",
        "operator_slug": "acme",
        "business_date": on,
        "asset": "EUR",
        "bank": "bank:main",
        "reason": "monthly",
        "maker": "user:fay",
        "now": clock.now(),
        **changes,
    }
    return propose_settlement(**asked)


def approve(proposal: Approval, *, checker: str = "user:lee") -> None:
    approve_settlement(reference=proposal.reference, reason="agreed", checker=checker, now=clock.now())


def refuses(refusal: type[Exception], work: Callable[[], object]) -> None:
    """Expect a refusal that leaves everything as it was."""
    before = world()
    with pytest.raises(refusal):
        work()
    assert world() == before


def due() -> int:
    day = settle_operator.statement_day(operator=acme(), environment="test", business_date=clock.now().date())
    return day.assets["EUR"].closing


def test_a_statement_says_what_moved_and_what_is_owed(day: Day) -> None:
    day.processed("100.00")
    day.processed("50.50")
    day.failed()
    day.compensated()
    (part,) = statement().parts
    assert part.movements == [Movement("debit", 3, 25_050, 0), Movement("reverse", 1, 0, 10_000)]
    assert (part.opening, part.closing, part.settled_since, part.outstanding) == (0, 15_050, 0, 15_050)
    day.after_midnight()
    day.processed("10.00")
    (part,) = statement().parts
    assert (part.opening, part.closing, part.outstanding) == (0, 15_050, 15_050)
    (part,) = statement(NEXT).parts
    assert (part.opening, part.closing) == (15_050, 16_050)
    assert part.movements == [Movement("debit", 1, 1_000, 0)]
    assert statement(DATE - timedelta(days=1)).parts[0].closing == 0


def test_a_sell_is_what_we_owe(day: Day) -> None:
    bought = day.desk.holding("100.00")
    day.desk.sell("20.00")
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    (part,) = statement().parts
    credit = next(one for one in part.movements if one.kind == "credit")
    assert (credit.count, credit.owed_to_us) == (1, 0)
    assert part.closing == int(bought.source_minor) - credit.owed_to_you > 0


def test_lines_sum_to_the_statement_and_name_only_the_operators_own(day: Day) -> None:
    first = day.processed("100.00")
    day.compensated()
    rival = open_desk(ScriptedWallet(), day.desk.clock, slug="rival")
    evil = rival.submit(rival.quote("77.00"), partner_order_id="@SUM-1")
    rows = list(csv.DictReader(io.StringIO("".join(operator_statements.as_csv(statement())))))
    assert [row["kind"] for row in rows] == ["debit", "debit", "reverse"]
    assert rows[0]["order_id"] == first.reference
    assert rows[0]["partner_order_id"] == first.partner_order_id
    assert [row["amount"] for row in rows] == ["100.00", "100.00", "-100.00"]
    posting = Posting.objects.get(transaction__key=f"{first.reference}:debit_confirmed")
    assert rows[0]["ledger_id"] == posting.reference
    assert statement().parts[0].closing == 10_000

    day.desk.wallet.script = []
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    theirs = "".join(operator_statements.as_csv(statement(operator=Operator.objects.get(slug="rival"))))
    assert ",'@SUM-1," in theirs
    assert evil.reference in theirs
    for inside in ("bank:", "transit", "due", "pools", first.reference, "acme"):
        assert inside not in theirs.replace(operator_statements.COLUMNS[0], "")


def test_a_settlement_takes_two_people_and_references_its_statement(day: Day) -> None:
    open_bank()
    day.processed("100.00")
    day.after_midnight()
    proposal = propose()
    assert not Transaction.objects.filter(event_type="OPERATOR_SETTLEMENT").exists()
    assert proposal.content["outstanding_minor"] == "10000"
    refuses(approvals.SelfApproval, lambda: approve(proposal, checker="user:fay"))
    approve(proposal)
    posted = Transaction.objects.get(event_type="OPERATOR_SETTLEMENT")
    assert posted.key == f"settlement:acme:{DATE}:EUR"
    assert posted.refs == {"statement": f"statement:acme:{DATE}", "approval": proposal.reference}
    assert posted.subject == acme().reference
    (posting,) = posted.postings.all()
    assert (posting.debit_account.address, posting.credit_account.address, int(posting.amount_minor)) == (
        "bank:main",
        "operators:acme:due",
        10_000,
    )
    assert due() == 0
    (part,) = statement().parts
    assert (part.closing, part.settled_since, part.outstanding) == (10_000, -10_000, 0)
    (part,) = statement(NEXT).parts
    assert part.movements == [Movement("settlement", 1, 0, 10_000)]
    (line,) = csv.DictReader(io.StringIO("".join(operator_statements.as_csv(statement(NEXT)))))
    assert (line["kind"], line["statement"]) == ("settlement", f"statement:acme:{DATE}")


def test_what_we_owe_is_paid(day: Day) -> None:
    open_bank()
    day.desk.holding("100.00")
    day.after_midnight()
    approve(propose())
    day.desk.sell("20.00")
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    owed = -due()
    assert owed > 0
    day.after_midnight(days=2)
    approve(propose(NEXT))
    posting = Posting.objects.get(transaction__key=f"settlement:acme:{NEXT}:EUR")
    assert (posting.debit_account.address, posting.credit_account.address, int(posting.amount_minor)) == (
        "operators:acme:due",
        "bank:main",
        owed,
    )
    assert due() == 0


def test_a_statement_is_never_settled_twice(day: Day) -> None:
    open_bank()
    day.processed("100.00")
    day.after_midnight()
    day.processed("5.00")
    first = propose()
    refuses(SettlementProposed, propose)
    refuses(DateNotOver, lambda: propose(NEXT))
    approve(first)
    refuses(approvals.AlreadyDecided, lambda: approve(first))
    refuses(SettledAlready, propose)
    refuses(SettledAlready, lambda: propose(DATE - timedelta(days=1)))
    day.after_midnight(days=2)
    approve(propose(NEXT))
    amounts = Posting.objects.filter(transaction__event_type="OPERATOR_SETTLEMENT").order_by("id")
    assert [int(row.amount_minor) for row in amounts] == [10_000, 500]
    assert due() == 0


def test_two_checkers_at_once_post_one_settlement(day: Day) -> None:
    open_bank()
    day.processed("100.00")
    day.after_midnight()
    proposal = propose()
    now, ends = clock.now(), list[str]()
    gate = threading.Barrier(2)

    def work(checker: str) -> None:
        try:
            gate.wait(10)
            approve_settlement(reference=proposal.reference, reason="agreed", checker=checker, now=now)
            ends.append("approved")
        except approvals.AlreadyDecided:
            ends.append("decided")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(f"user:{name}",)) for name in ("lee", "lou")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ends) == ["approved", "decided"]
    assert Transaction.objects.filter(event_type="OPERATOR_SETTLEMENT").count() == 1


def test_a_proposal_is_outdated_when_the_balance_has_moved(day: Day) -> None:
    open_bank()
    day.processed("100.00")
    day.after_midnight()
    proposal = propose()
    by_hand = Draft(
        event_type="OPERATOR_SETTLEMENT",
        key="adjustment:half",
        subject="",
        amounts={"received": Money(4_000, "EUR")},
        accounts={"bank": "bank:main", "due": "operators:acme:due"},
    )
    made = adjustments.propose(
        environment="test", draft=by_hand, reason="half came early", maker="user:fay", now=clock.now()
    )
    adjustments.approve(reference=made.reference, reason="yes", checker="user:lee", now=clock.now())
    refuses(approvals.OutdatedProposal, lambda: approve(proposal))
    refuse_settlement(reference=proposal.reference, reason="half came", checker="user:fay", now=clock.now())
    assert Approval.objects.get(pk=proposal.pk).decision == "withdrawn"
    approve(propose())
    assert Posting.objects.get(transaction__key=f"settlement:acme:{DATE}:EUR").amount_minor == 6_000
    assert due() == 0


def test_later_orders_do_not_make_a_proposal_stale(day: Day) -> None:
    open_bank()
    day.processed("100.00")
    day.after_midnight()
    proposal = propose()
    day.processed("7.00")
    approve(proposal)
    assert due() == 700


def test_settlements_that_cannot_be_are_refused(day: Day) -> None:
    open_bank()
    day.processed("100.00")
    day.after_midnight()
    from ledger.direct_posting import AccountDoesNotFit

    for refusal, changes in (
        (ReasonMissing, {"reason": "  "}),
        (NotFound, {"operator_slug": "nobody"}),
        (NotFound, {"asset": "USD"}),
        (NotFound, {"environment": "live"}),
        (AccountDoesNotFit, {"bank": "users:u1:available"}),
        (AccountDoesNotFit, {"bank": ""}),
        (NothingToSettle, {"business_date": DATE - timedelta(days=1)}),
    ):
        refuses(refusal, lambda changes=changes: propose(**changes))  # type: ignore[misc]  # bound now
    refuses(Exception, lambda: propose(bank="bank:nowhere"))
    refuses(NotFound, lambda: approve_settlement(reference="apr_x", reason="y", checker="z", now=clock.now()))
    assert not Account.objects.filter(address="bank:nowhere").exists()


def test_a_settlement_is_recognised_on_the_bank_statement(day: Day) -> None:
    source = bank_source()
    day.processed("100.00")
    day.after_midnight()
    approve(propose())
    on = NEXT.strftime("%d.%m.%Y")
    bring(source, text(BANK_HEADER, [f"b1;{on};;100,00;;statement:acme:{DATE};BANK-9;net settlement"]))
    assert rules() == {"b1": "our_reference"}


def test_a_locked_date_makes_the_statement_final(day: Day) -> None:
    day.processed("100.00")
    assert (statement().final, statement().over) == (False, False)
    day.after_midnight()
    before = statement()
    periods.lock("test", DATE, "user:lee", clock.now())
    after = statement()
    assert (after.final, after.over) == (True, True)
    assert after.parts == before.parts
