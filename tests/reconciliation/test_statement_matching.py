"""Ids first, amounts second: which line of a statement is matched with what, by which rule, and what is left alone."""

from datetime import timedelta

import pytest

from ledger import periods
from ledger.controls import clock
from ledger.models import Move, Transaction
from orders.models import Order
from reconciliation.models import ExceptionCase, StatementLine, StatementMatch
from reconciliation.statements import candidates, matches, matching
from tests.orders.books import world
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import (
    BANK_HEADER,
    HEADER,
    bank_source,
    bring,
    operator_source,
    received,
    rules,
    text,
)

ON = DATE.isoformat()
NOTHING = "Nothing in the book has its ids, or its amount near its date."
ONLY_AMOUNT = "Only its amount is in the book: its ids say that it is about something else."
SEVERAL = "Several could be meant by amount and date: a person has to say which."


def key(order: Order, leg: str = "debit") -> str:
    return f"{order.reference}:{leg}:v1"


def debited(order: Order) -> Transaction:
    return Transaction.objects.get(subject=order.reference, event_type="ORDER_DEBIT_CONFIRMED")


def test_each_id_matches_by_itself_and_the_rule_is_kept(day: Day) -> None:
    by_key, by_ref, by_partner = day.processed(), day.processed(), day.processed("250.50")
    source = operator_source()
    bring(
        source,
        text(
            HEADER,
            [
                f"t1,{ON},100.00,debit,,{key(by_key)},",
                f"t2,{ON},100.00,debit,,,w-{key(by_ref)}",
                f"t3,{ON},250.50,debit,{by_partner.partner_order_id},,",
            ],
        ),
    )
    assert rules() == {"t1": "our_key", "t2": "provider_reference", "t3": "partner_order_id"}
    for line_id, order in (("t1", by_key), ("t2", by_ref), ("t3", by_partner)):
        match = StatementMatch.objects.get(line__line_id=line_id)
        assert match.transaction_id == debited(order).pk
        (move,) = Move.objects.filter(subject=match.reference)
        assert (move.actor, move.to_state) == ("statements", "standing")
        assert move.evidence is not None
        assert move.evidence["rule"] == match.rule


def test_a_debit_and_its_reverse_are_told_apart(day: Day) -> None:
    order = day.compensated()
    bring(
        operator_source(),
        text(
            HEADER,
            [
                f"t1,{ON},100.00,reverse,{order.partner_order_id},,",
                f"t2,{ON},100.00,debit,{order.partner_order_id},,",
            ],
        ),
    )
    found = {m.line.line_id: m.transaction_key for m in StatementMatch.objects.select_related("line")}
    assert found == {
        "t1": f"{order.reference}:compensation",
        "t2": f"{order.reference}:debit_confirmed",
    }


def test_an_amount_alone_matches_only_when_one_is_left_near_the_date(day: Day) -> None:
    one, _, _ = day.processed("10.00"), day.processed("20.00"), day.processed("20.00")
    far = (DATE + timedelta(days=9)).isoformat()
    bring(
        operator_source(),
        text(
            HEADER,
            [
                f"t1,{ON},10.00,debit,,,",
                f"t2,{ON},20.00,debit,,,",
                f"t3,{ON},10.01,debit,,,",
                f"t4,{far},20.00,debit,,,",
                f"t5,{ON},10.00,credit,,,",
            ],
        ),
    )
    assert rules() == {"t1": "amount_and_date", "t2": SEVERAL, "t3": NOTHING, "t4": NOTHING, "t5": NOTHING}
    assert StatementMatch.objects.get().transaction_id == debited(one).pk


def test_two_lines_of_one_amount_do_not_share_or_guess(day: Day) -> None:
    day.processed("10.00")
    bring(operator_source(), text(HEADER, [f"t1,{ON},10.00,debit,,,", f"t2,{ON},10.00,debit,,,"]))
    assert rules() == {"t1": SEVERAL, "t2": SEVERAL}


def test_what_a_later_line_names_no_earlier_line_takes_by_its_amount(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_BATCH", 1)
    monkeypatch.setattr(matching, "_BATCH_BY_AMOUNT", 1)
    named, left = day.processed("10.00"), day.processed("20.00")
    lines = [f"t1,{ON},10.00,debit,,,", f"t2,{ON},20.00,debit,,,", f"t3,{ON},10.00,debit,,{key(named)},"]
    bring(operator_source(), text(HEADER, lines))
    assert rules() == {"t1": NOTHING, "t2": "amount_and_date", "t3": "our_key"}
    found = {match.line.line_id: match.transaction_id for match in StatementMatch.objects.select_related("line")}
    assert found == {"t2": debited(left).pk, "t3": debited(named).pk}


def test_what_a_later_line_names_with_others_no_earlier_line_takes_by_its_amount(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_BATCH", 1)
    monkeypatch.setattr(matching, "_BATCH_BY_AMOUNT", 1)
    source = bank_source()
    for number, minor in enumerate((1_000, 2_000)):
        received(f"B:{number}", minor, subject=f"int_{number}", provider_batch="B")
    on = DATE.strftime("%d.%m.%Y")
    bring(source, text(BANK_HEADER, [f"b1;{on};;10,00;;;;by no name", f"b2;{on};;30,00;;;B;both of them"]))
    assert rules() == {"b1": NOTHING, "b2": "provider_reference"}


def test_two_lines_of_one_amount_do_not_guess_when_they_are_far_apart_in_a_statement(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_BATCH", 1)
    monkeypatch.setattr(matching, "_BATCH_BY_AMOUNT", 2)
    day.processed("10.00")
    other = day.processed("20.00")
    amounts = {"t1": "10.00", "t2": "20.00", "t3": "7.00", "t4": "10.00", "t5": "8.00", "t6": "10.00"}
    bring(operator_source(), text(HEADER, [f"{name},{ON},{amount},debit,,," for name, amount in amounts.items()]))
    assert rules() == {
        "t1": SEVERAL,
        "t2": "amount_and_date",
        "t3": NOTHING,
        "t4": SEVERAL,
        "t5": NOTHING,
        "t6": SEVERAL,
    }
    assert StatementMatch.objects.get().transaction_id == debited(other).pk


def test_only_what_has_a_lines_amount_or_id_is_read_for_it(day: Day) -> None:
    orders = [day.processed(amount) for amount in ("10.00", "20.00", "30.00", "40.00")]
    source = operator_source()
    bring(source, text(HEADER, [f"t1,{ON},10.00,debit,,,", f"t2,{ON},99.00,debit,{orders[1].partner_order_id},,"]))
    lines = list(StatementLine.objects.order_by("line_id"))
    read = candidates.found(source=source, lines=lines)
    assert [(one.key, one.amount_minor) for one in read] == [
        (f"{orders[0].reference}:debit_confirmed", 1_000),
        (f"{orders[1].reference}:debit_confirmed", 2_000),
    ]
    assert [one.amount_minor for one in candidates.around(line=lines[0])] == [1_000, 2_000, 3_000, 4_000]


@pytest.mark.parametrize(
    "ids, because",
    [
        # an id that nobody knows is no reason to believe the amount
        (",{unknown},", ONLY_AMOUNT),
        ("nobodys-order,,", ONLY_AMOUNT),
        # one id names the order, another says something else
        ("{partner},{other_key},", "Its ids contradict each other"),
        ("{partner},,w-{other_key}", "Its ids contradict each other"),
        ("{partner},,somebody-elses", "Its ids contradict each other"),
    ],
)
def test_an_amount_never_matches_when_ids_contradict(day: Day, ids: str, because: str) -> None:
    order, other = day.processed("10.00"), day.processed("30.00")
    filled = ids.format(partner=order.partner_order_id, other_key=key(other), unknown="ord_nowhere:debit:v1")
    bring(operator_source(), text(HEADER, [f"t1,{ON},10.00,debit,{filled}"]))
    assert rules()["t1"].startswith(because)
    assert not StatementMatch.objects.exists()


def test_an_id_whose_amount_is_another_is_not_matched_by_anything_else(day: Day) -> None:
    order, same_amount = day.processed("10.00"), day.processed("10.50")
    bring(operator_source(), text(HEADER, [f"t1,{ON},10.50,debit,{order.partner_order_id},,"]))
    assert rules()["t1"] == f"Its ids name {order.reference}:debit_confirmed, whose amount or asset is another."
    assert same_amount.state == "processed"


def test_a_second_line_about_the_same_movement_stands_alone(day: Day) -> None:
    order = day.processed()
    source = operator_source()
    bring(source, text(HEADER, [f"t1,{ON},100.00,debit,,{key(order)},"]))
    bring(source, text(HEADER, [f"t2,{ON},100.00,debit,,{key(order)},"]))
    assert rules()["t2"] == f"Its ids name {order.reference}:debit_confirmed, which another line has already."


def test_another_operators_ids_are_nobodys(day: Day) -> None:
    from tests.orders.desk import open_desk
    from tests.orders.wallet import ScriptedWallet

    order = day.processed("12.00")
    open_desk(ScriptedWallet(), day.desk.clock, slug="rival")
    bring(
        operator_source(slug="rival", code="rival"),
        text(HEADER, [f"t1,{ON},12.00,debit,{order.partner_order_id},{key(order)},w-{key(order)}"]),
    )
    assert rules() == {"t1": NOTHING}


def test_a_bank_line_is_matched_by_their_reference_and_by_ours(day: Day) -> None:
    source = bank_source()
    received("payin:1", 100_000, subject="int_1", provider_reference="PX-1")
    received("payin:2", 5_050, subject="int_2")
    received("payout:1", -700, subject="pay_3")
    on = DATE.strftime("%d.%m.%Y")
    bring(
        source,
        text(
            BANK_HEADER,
            [
                f"b1;{on};{on};1.000,00;;;PX-1;collection",
                f"b2;{on};{on};50,50;;int_2;;",
                f"b3;{on};;;7,00;pay_3;BANKS-OWN;",
                f"b4;{on};;7,00;;pay_3;;the wrong way round",
            ],
        ),
    )
    assert rules() == {
        "b1": "provider_reference",
        "b2": "our_reference",
        "b3": "our_reference",
        "b4": "Its ids name payout:1, whose amount or asset is another.",
    }


def test_a_batch_is_matched_by_its_reference_when_its_exact_amounts_sum_to_the_line(day: Day) -> None:
    source = bank_source()
    for batch, amounts in {"B-1": (1_000, 2_000, 3_050), "B-2": (700, 800), "B-3": (500, 600)}.items():
        for number, minor in enumerate(amounts):
            received(f"{batch}:{number}", minor, subject=f"{batch}-{number}", provider_batch=batch)
    on = DATE.strftime("%d.%m.%Y")
    lines = [
        f"b1;{on};;60,50;;;B-1;three of one batch",
        f"b2;{on};;15,01;;;B-2;a cent more than its two",
        f"b3;{on};;11,00;;;B-9;the sum of B-3, by another name",
        f"b4;{on};;11,00;;;;the sum of B-3, by no name",
    ]
    bring(source, text(BANK_HEADER, lines))
    assert rules() == {
        "b1": "provider_reference",
        "b2": "Its ids name B-2:0, whose amount or asset is another.",
        "b3": NOTHING,
        "b4": NOTHING,
    }
    made = StatementMatch.objects.filter(line__line_id="b1").order_by("transaction_key")
    assert [(one.transaction_key, one.in_batch) for one in made] == [("B-1:0", True), ("B-1:1", True), ("B-1:2", True)]
    assert matching.match_source(source).matched == 0
    assert StatementMatch.objects.count() == 3


def test_a_part_of_a_batch_that_another_line_has_is_no_part_of_it_any_more(day: Day) -> None:
    source = bank_source()
    for number, minor in enumerate((1_000, 2_000, 3_000)):
        received(f"B:{number}", minor, subject=f"int_{number}", provider_batch="B")
    on = DATE.strftime("%d.%m.%Y")
    bring(source, text(BANK_HEADER, [f"b1;{on};;20,00;;int_1;;by itself"]))
    bring(source, text(BANK_HEADER, [f"b2;{on};;60,00;;;B;all of them", f"b3;{on};;40,00;;;B;what is left"]))
    assert rules() == {
        "b1": "our_reference",
        "b2": "Its ids name B:0, whose amount or asset is another.",
        "b3": "provider_reference",
    }


def test_a_person_matches_a_line_with_several_and_takes_them_apart_together(day: Day) -> None:
    source = bank_source()
    for number, minor in enumerate((1_000, 2_000, 4_000)):
        received(f"P:{number}", minor, subject=f"int_{number}")
    on = DATE.strftime("%d.%m.%Y")
    bring(source, text(BANK_HEADER, [f"b1;{on};;30,00;;;OTHER;two in one", f"b2;{on};;41,00;;;OTHER2;one"]))
    lines = {line.line_id: line.reference for line in StatementLine.objects.all()}
    ids = [Transaction.objects.get(key=f"P:{number}").pk for number in range(3)]

    def by_hand(line: str, *chosen: int) -> list[StatementMatch]:
        return matches.match(
            line_reference=lines[line],
            transaction_ids=[ids[number] for number in chosen],
            reason="their list",
            actor="user:fay",
            now=clock.now(),
        )

    for wrong in ((0, 2), (0,), (), (0, 1, 2), (0, 0)):
        with pytest.raises(matches.AmountsDiffer):
            by_hand("b1", *wrong)
    assert not StatementMatch.objects.filter(line__line_id="b1").exists()
    made = by_hand("b1", 0, 1)
    assert [(one.transaction_key, one.rule, one.in_batch) for one in made] == [
        ("P:0", "by_hand", True),
        ("P:1", "by_hand", True),
    ]
    with pytest.raises(matches.AlreadyMatched):
        by_hand("b2", 1)
    assert rules()["b1"] == "by_hand"
    undone = matches.undo(line_reference=lines["b1"], reason="wrong list", actor="user:fay", now=clock.now())
    assert [one.transaction_key for one in undone] == ["P:0", "P:1"]
    assert not StatementMatch.objects.filter(line__line_id="b1", state="standing").exists()
    assert by_hand("b1", 1, 0)[0].state == "standing"


def test_unmatched_lines_are_cases_and_heal_when_the_book_has_them(day: Day) -> None:
    source = bank_source()
    on = DATE.strftime("%d.%m.%Y")
    bring(source, text(BANK_HEADER, [f"b1;{on};;12,00;;int_9;;", f"b2;{on};;13,00;;;;"]))
    day.after_midnight()
    report = day.close()
    assert report.breaks["statement_line_unmatched"] == 2
    lines = {line.line_id: line for line in StatementLine.objects.all()}
    assert day.standing() == {("statement_line_unmatched", line.reference) for line in lines.values()}
    case = ExceptionCase.objects.get(subject=lines["b1"].reference)
    assert (case.asset, int(case.amount_minor), case.owner, case.detail["reason"]) == ("EUR", 1200, "finance", NOTHING)
    assert case.detail["our_reference"] == "int_9"

    received("payin:9", 1_200, subject="int_9")
    assert day.close().breaks["statement_line_unmatched"] == 1
    assert rules()["b1"] == "our_reference"
    assert ExceptionCase.objects.get(pk=case.pk).state == "resolved"


def test_a_person_matches_what_no_rule_can(day: Day) -> None:
    first, second = day.processed("20.00"), day.processed("20.00")
    bring(operator_source(), text(HEADER, [f"t1,{ON},20.00,debit,,,", f"t2,{ON},9.00,debit,,,"]))
    lines = {line.line_id: line for line in StatementLine.objects.all()}
    (made,) = matches.match(
        line_reference=lines["t1"].reference,
        transaction_ids=[debited(second).pk],
        reason="the operator says so",
        actor="user:fay",
        now=clock.now(),
    )
    assert (made.rule, made.matched_by, made.reason) == ("by_hand", "user:fay", "the operator says so")
    before, count = world(), StatementMatch.objects.count()
    for line, transaction, refused in (
        ("t1", debited(first).pk, matches.AlreadyMatched),
        ("t2", debited(second).pk, matches.AlreadyMatched),
        ("t2", debited(first).pk, matches.AmountsDiffer),
        ("t2", Transaction.objects.get(key__endswith=":settle", subject=first.reference).pk, matches.NotOnThisAccount),
    ):
        with pytest.raises(refused):
            matches.match(
                line_reference=lines[line].reference,
                transaction_ids=[transaction],
                reason="x",
                actor="user:fay",
                now=clock.now(),
            )
    assert (world(), StatementMatch.objects.count()) == (before, count)


def test_what_a_person_took_apart_stays_apart(day: Day) -> None:
    order = day.processed()
    source = operator_source()
    bring(source, text(HEADER, [f"t1,{ON},100.00,debit,,{key(order)},"]))
    line = StatementLine.objects.get()
    (undone,) = matches.undo(line_reference=line.reference, reason="another day's", actor="user:fay", now=clock.now())
    assert [(move.from_state, move.to_state, move.actor) for move in Move.objects.filter(subject=undone.reference)] == [
        ("", "standing", "statements"),
        ("standing", "undone", "user:fay"),
    ]
    assert matching.match_source(source).matched == 0
    assert rules() == {"t1": "A person took its match away."}
    with pytest.raises(matches.NotMatched):
        matches.undo(line_reference=line.reference, reason="again", actor="user:fay", now=clock.now())
    matches.match(
        line_reference=line.reference,
        transaction_ids=[debited(order).pk],
        reason="it was right",
        actor="user:fay",
        now=clock.now(),
    )
    assert rules() == {"t1": "by_hand"}


def test_matches_stay_once_the_date_is_locked(day: Day) -> None:
    order, later = day.processed("10.00"), day.processed("20.00")
    source = operator_source()
    bring(source, text(HEADER, [f"t1,{ON},10.00,debit,,{key(order)},", f"t2,{ON},20.00,debit,,ord_x:debit:v1,"]))
    lines = {line.line_id: line for line in StatementLine.objects.all()}
    day.after_midnight()
    periods.lock("test", DATE, "user:lee", clock.now())
    with pytest.raises(matches.DateLocked):
        matches.undo(line_reference=lines["t1"].reference, reason="late", actor="user:fay", now=clock.now())
    with pytest.raises(matches.DateLocked):
        matches.match(
            line_reference=lines["t2"].reference,
            transaction_ids=[debited(later).pk],
            reason="late",
            actor="user:fay",
            now=clock.now(),
        )
    assert StatementMatch.objects.filter(state="standing").count() == 1
    bring(source, text(HEADER, [f"t3,{ON},20.00,debit,,{key(later)},"]))
    late = StatementLine.objects.get(line_id="t3")
    assert (late.booked_on, late.business_date) == (DATE, DATE + timedelta(days=1))
    assert rules()["t3"] == "our_key"
    assert matching.match_source(source).matched == 0
