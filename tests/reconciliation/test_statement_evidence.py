"""A line of their own statement as evidence in a review: by ids and exact amount, it proves and moves nothing by itself."""

from datetime import timedelta

import pytest

from ledger.controls import clock
from ledger.models import Move
from orders.models import Order
from orders.operations import review_case
from orders.reviews.offers import offers
from reconciliation.models import StatementLine
from reconciliation.statements import matching, proofs, sources
from tests.orders import books
from tests.orders.desk import open_case, reloaded
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.payouts import open_case as case_of_payout
from tests.orders.test_payout_reviews import in_review
from tests.orders.wallet import lost_after, server_error
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import BANK, BANK_HEADER, HEADER, bring, operator_source, rules, text
from wallets.models import Gateway, RemoteAttempt, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

ON = DATE.isoformat()


def _line(rows: str) -> StatementLine:
    bring(operator_source(), text(HEADER, [rows]))
    return StatementLine.objects.select_related("source").get()


def _why_not(order: Order) -> str:
    return next(one.why_not for one in offers(case=open_case(order)) if one.resolution.value == "debit_proven")


def test_an_unknown_debit_is_proven_by_a_line_of_the_operators_statement(day: Day) -> None:
    order = day.in_review()
    line = _line(f"t1,{ON},100.00,debit,,{order.reference}:debit:v1,W-77")
    before = books.lines()
    assert _why_not(order) == "No lookup shows the debit. Look it up first."
    proved = proofs.prove(line_reference=line.reference, actor="user:fred", now=clock.now())
    operation = RemoteOperation.objects.get(owner=order.reference)
    assert (proved.key, operation.state, operation.remote_ref) == (operation.key, "confirmed", "W-77")
    stored = RemoteAttempt.objects.filter(operation_id=operation.pk).latest("number")
    assert (stored.kind, stored.outcome, stored.http_status) == ("lookup", "confirmed", None)
    assert stored.question == f"their statement, line {line.reference}"
    assert (reloaded(order).state, books.lines()) == ("manual_review", before), "evidence moves nothing"
    assert _why_not(order) == ""
    with pytest.raises(proofs.ProvesNothing):
        proofs.prove(line_reference=line.reference, actor="user:fred", now=clock.now())
    case = open_case(order)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="debit_proven",
        reason="their statement shows it",
        actor="user:olga",
        now=clock.now(),
    )
    day.desk.drive(passes=3)
    assert reloaded(order).state == "processed"
    assert matching.match_source(line.source).matched == 1
    assert rules() == {"t1": "our_key"}


@pytest.mark.parametrize(
    "row",
    [
        "t1,{on},100.01,debit,,{key},",  # another amount
        "t1,{on},100.00,credit,,{key},",  # the other way
        "t1,{on},100.00,debit,,,",  # an amount alone
        "t1,{on},100.00,debit,,ord_other:debit:v1,",
    ],
)
def test_a_line_proves_nothing_without_the_ids_and_the_exact_amount(day: Day, row: str) -> None:
    order = day.in_review()
    line = _line(row.format(on=ON, key=f"{order.reference}:debit:v1"))
    attempts = RemoteAttempt.objects.count()
    with pytest.raises(proofs.ProvesNothing):
        proofs.prove(line_reference=line.reference, actor="user:fred", now=clock.now())
    assert RemoteAttempt.objects.count() == attempts
    assert RemoteOperation.objects.get(owner=order.reference).state in ("unknown", "absent")
    assert _why_not(order) != ""


@pytest.mark.parametrize(
    ("ours", "own_bank", "proves"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_an_unknown_payout_is_proven_by_its_own_banks_line(
    payouts: PayoutDesk, ours: bool, own_bank: bool, proves: bool
) -> None:
    intent = in_review(payouts, lost_after, server_error, server_error)
    operation = RemoteOperation.objects.get(owner=payout_of(intent).reference, leg="submit")
    channel = Gateway.objects.get(pk=operation.gateway_id).channel
    source = sources.create(
        environment="test",
        code="statements",
        name="Bank",
        format="csv",
        asset=operation.asset,
        bank=f"bank:{channel}",
        mapping=BANK,
        actor="user:fay",
        now=clock.now(),
    )
    if not own_bank:
        type(source).objects.filter(pk=source.pk).update(account="bank:another")
        source.refresh_from_db()
    on = clock.now().strftime("%d.%m.%Y")
    amount = f"{int(operation.amount_minor) // 100},{int(operation.amount_minor) % 100:02d}"
    bring(source, text(BANK_HEADER, [f"b1;{on};;;{amount};{intent.reference if ours else ''};B-9;payment"]))
    line = StatementLine.objects.get()
    if not proves:
        with pytest.raises(proofs.ProvesNothing):
            proofs.prove(line_reference=line.reference, actor="user:fred", now=clock.now())
        return
    proofs.prove(line_reference=line.reference, actor="user:fred", now=clock.now())
    allowed = {one.resolution.value: one.why_not for one in offers(case=case_of_payout(intent))}
    assert allowed["settle_payout"] == ""
    assert allowed["release_payout"] == "The payment is confirmed."
    assert RemoteOperation.objects.get(pk=operation.pk).read_due_at == clock.now() + timedelta(days=1), (
        "it may come back, as any other"
    )
    assert payouts.decide(intent, "settle_payout").resolved


def test_who_brought_a_file_does_not_take_its_lines_as_evidence(day: Day) -> None:
    order = day.in_review()
    line = _line(f"t1,{ON},100.00,debit,,{order.reference}:debit:v1,W-77")
    with pytest.raises(proofs.OwnFile):
        proofs.prove(line_reference=line.reference, actor="user:fay", now=clock.now())
    assert RemoteOperation.objects.get(owner=order.reference).state == "unknown"
    proofs.prove(line_reference=line.reference, actor="user:fred", now=clock.now())
    moved = Move.objects.filter(subject=RemoteOperation.objects.get(owner=order.reference).reference).latest("sequence")
    assert (moved.evidence or {}).get("taken_by") == "user:fred"
