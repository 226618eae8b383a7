"""Statements come in once: by file, by line, whole or not at all; a dry run changes nothing; what came in stays."""

import io
import threading
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from ledger.controls import clock
from ledger.controls.refusals import NotFound
from reconciliation.models import StatementFile, StatementLine, StatementMatch
from reconciliation.statements import importing, sources, trial
from reconciliation.statements.mapping import CsvMapping
from tests.orders.books import world
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import (
    BANK,
    BANK_HEADER,
    HEADER,
    OPERATOR,
    bank_source,
    bring,
    operator_source,
    received,
    rules,
    text,
)

ON = DATE.isoformat()


def receive(source: Any, content: bytes) -> StatementFile:
    return importing.receive(source=source, name="s.csv", content=content, actor="user:fay", now=clock.now())


def refused(content: bytes, *, source: Any = None) -> str:
    """Return why a file is refused; a dry run said so before, and nothing is kept of its lines."""
    file = receive(source or operator_source(), content)
    before = world()
    found = trial.dry_run(file=file, now=clock.now())
    assert not found.stands
    assert world() == before
    with pytest.raises(importing.FileRefused) as error:
        importing.take_in(reference=file.reference, actor="user:fay", now=clock.now())
    assert not StatementLine.objects.exists()
    assert StatementFile.objects.get().state == "received"
    return found.fault or " ".join(error_ for row in found.rows for error_ in row.errors) or str(error.value)


def test_a_dry_run_knows_the_lines_that_it_does_not_show(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST_SHOWN", 1)
    named, _ = day.processed("10.00"), day.processed("20.00")
    source = operator_source()
    later = f"t2,{ON},10.00,debit,,{named.reference}:debit:v1,"
    (shown,) = trial.dry_run(
        file=receive(source, text(HEADER, [f"t1,{ON},10.00,debit,,,", later])), now=clock.now()
    ).rows
    assert (shown.matched, shown.match) == (
        False,
        "Nothing in the book has its ids, or its amount near its date.",
    )
    (shown,) = trial.dry_run(
        file=receive(source, text(HEADER, [f"t1,{ON},20.00,debit,,,", later])), now=clock.now()
    ).rows
    assert shown.matched


def test_the_same_file_and_the_same_line_come_in_once(day: Day) -> None:
    source = operator_source()
    rows = [f"t1,{ON},10.00,debit,,,", f"t2,{ON},20.00,debit,,,"]
    first = bring(source, text(HEADER, rows))
    assert (first.state, first.new_lines, first.known_lines) == ("imported", 2, 0)
    again = receive(source, text(HEADER, rows))
    assert again.pk == first.pk
    with pytest.raises(importing.FileEnded):
        importing.take_in(reference=again.reference, actor="user:fay", now=clock.now())
    more = bring(source, text(HEADER, [*rows, f"t3,{ON},30.00,debit,,,"]))
    assert (more.new_lines, more.known_lines) == (1, 2)
    assert list(StatementLine.objects.order_by("pk").values_list("line_id", "file__reference")) == [
        ("t1", first.reference),
        ("t2", first.reference),
        ("t3", more.reference),
    ]


def test_a_line_that_comes_again_must_say_the_same(day: Day) -> None:
    source = operator_source()
    bring(source, text(HEADER, [f"t1,{ON},10.00,debit,,,"]))
    file = receive(source, text(HEADER, [f"t1,{ON},10.01,debit,p-1,,", f"t2,{ON},1.00,debit,,,"]))
    found = trial.dry_run(file=file, now=clock.now())
    assert [(row.kind, list(row.changes)) for row in found.rows] == [
        ("wrong", [("amount_minor", "1000", "1001"), ("partner_order_id", "", "p-1")]),
        ("new", []),
    ]
    with pytest.raises(importing.FileRefused, match="came before and said otherwise"):
        importing.take_in(reference=file.reference, actor="user:fay", now=clock.now())
    assert StatementLine.objects.count() == 1


def test_a_dry_run_says_line_by_line_what_would_be_and_changes_nothing(day: Day) -> None:
    order = day.processed()
    source = operator_source()
    file = receive(
        source,
        text(HEADER, [f"t1,{ON},100.00,debit,{order.partner_order_id},,", f"t2,{ON},5.00,debit,,,"]),
    )
    before = world()
    found = trial.dry_run(file=file, now=clock.now())
    assert found.stands
    assert [(row.number, row.kind, row.matched, row.match) for row in found.rows] == [
        (2, "new", True, f"partner order id: {order.reference}:debit_confirmed"),
        (3, "new", False, "Nothing in the book has its ids, or its amount near its date."),
    ]
    assert world() == before
    assert not StatementLine.objects.exists()
    assert not StatementMatch.objects.exists()
    assert StatementFile.objects.get().state == "received"


@pytest.mark.parametrize(
    "rows, because",
    [
        ([f"t1,{ON},ten,debit,,,"], "plain digits"),
        ([f"t1,{ON},1e3,debit,,,"], "plain digits"),
        ([f"t1,{ON},١٠.00,debit,,,"], "plain digits"),
        ([f"t1,{ON},1_000.00,debit,,,"], "plain digits"),
        ([f"t1,{ON},10.001,debit,,,"], "at most 2 decimals"),
        ([f"t1,{ON},-10.00,debit,,,"], "has no sign"),
        ([f"t1,{ON},0.00,debit,,,"], "amount is zero"),
        ([f"t1,{ON},10.00,perhaps,,,"], "direction says 'perhaps'"),
        (["t1,2026-02-30,10.00,debit,,,"], "no date written YYYY-MM-DD"),
        (["t1,14.03.2026,10.00,debit,,,"], "no date written YYYY-MM-DD"),
        (["t1,1066-10-14,10.00,debit,,,"], "too far away"),
        ([f",{ON},10.00,debit,,,"], "has no id"),
        ([f"{'x' * 141},{ON},10.00,debit,,,"], "more than 140"),
        ([f"t1,{ON},10.00,debit,,"], "6 cells, and 7 columns"),
        ([f"t1,{ON},10.00,debit,\x00,,"], "no text"),
        ([f"t1,{ON},{'9' * 60},debit,,,"], "plain digits"),
        ([f"t1,{ON},10.00,debit,,,", f"t1,{ON},10.00,debit,,,"], "more than once"),
        ([], "no lines"),
        ([f'"t1,{ON},10.00,debit,,,'], "not CSV"),
    ],
)
def test_one_wrong_line_and_nothing_is_imported(day: Day, rows: list[str], because: str) -> None:
    good = [f"good,{ON},1.00,debit,,,"] if rows and "cells" not in because else []
    assert because in refused(text(HEADER, [*good, *rows]))


@pytest.mark.parametrize(
    "content, because",
    [
        (b"Txn,Date,Amount\nt1,2026-03-14,1.00\n", "does not name Type, Order, Key, Ref"),
        (b"Txn,Txn,Date,Amount,Type,Order,Key,Ref\n", "names a column twice"),
        ("Txn,Date,Amount,Type,Order,Key,Ref\nü".encode("latin-1"), "not CSV in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "CSV"),
    ],
)
def test_a_file_of_another_shape_is_refused(day: Day, content: bytes, because: str) -> None:
    assert because in refused(content)


def test_sizes_are_bounded(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    source = operator_source()
    with pytest.raises(importing.EmptyFile):
        receive(source, b" \n")
    monkeypatch.setattr(importing, "LARGEST", 100)
    with pytest.raises(importing.FileTooLarge):
        receive(source, b"x" * 101)
    monkeypatch.undo()
    monkeypatch.setattr(importing, "MOST_LINES", 3)
    file = receive(source, text(HEADER, [f"t{n},{ON},1.00,debit,,," for n in range(4)]))
    assert "200,000 lines" in trial.dry_run(file=file, now=clock.now()).fault
    with pytest.raises(importing.FileTooLarge):
        importing.take_in(reference=file.reference, actor="user:fay", now=clock.now())
    assert not StatementLine.objects.exists()


def test_amounts_dates_and_directions_are_read_as_the_source_writes_them(day: Day) -> None:
    source = bank_source()
    bring(
        source,
        text(
            BANK_HEADER,
            [
                "b1;14.03.2026;15.03.2026;1.234.567,89;;;;grouped",
                "b2;14.03.2026;;;0,05;;;out",
                "b3;14.03.2026;;12;;;;whole",
                "b4;14.03.2026;;7,5000;;;;zeros beyond the scale",
            ],
        ),
    )
    found = StatementLine.objects.order_by("line_id").values_list("amount_minor", "booked_on", "value_on")
    assert [(int(minor), booked, value) for minor, booked, value in found] == [
        (123_456_789, date(2026, 3, 14), date(2026, 3, 15)),
        (-5, date(2026, 3, 14), None),
        (1_200, date(2026, 3, 14), None),
        (750, date(2026, 3, 14), None),
    ]
    assert StatementLine.objects.get(line_id="b1").raw["Text"] == "grouped"
    both = receive(source, text(BANK_HEADER, ["b9;14.03.2026;;1,00;1,00;;;"]))
    assert not trial.dry_run(file=both, now=clock.now()).stands


def test_a_signed_amount_tells_its_direction(day: Day) -> None:
    mapping = CsvMapping(columns={"line_id": "a", "booked_on": "b", "amount": "c"}, positive_is_out=True)
    source = bank_source(mapping=mapping)
    bring(source, text("a,b,c", [f"s1,{ON},10.00", f"s2,{ON},-3.00"]))
    assert [int(line.amount_minor) for line in StatementLine.objects.order_by("line_id")] == [-1000, 300]


@pytest.mark.parametrize(
    "mapping, because",
    [
        (CsvMapping(columns={"line_id": "a"}), "Booking date: name its column."),
        (CsvMapping(columns={"line_id": "a", "booked_on": "b"}), "Name one amount column"),
        (CsvMapping(columns={"line_id": "a", "booked_on": "b", "amount_in": "c"}), "Name one amount column"),
        (CsvMapping(columns={"line_id": "a", "booked_on": "a", "amount": "c"}), "of the same column"),
        (CsvMapping(columns={"line_id": "a", "booked_on": "b", "amount": "c", "x": "d"}), "no field 'x'"),
        (CsvMapping(columns={"line_id": "a", "booked_on": "b", "amount": "c", "direction": "d"}), "which words"),
        (CsvMapping(columns=OPERATOR.columns, words_in=("x",), words_out=("x",)), "not both"),
        (CsvMapping(columns=BANK.columns, date_format="D"), "no date format"),
        (None, "CSV, with its mapping"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(day: Day, mapping: CsvMapping | None, because: str) -> None:
    with pytest.raises(sources.SourceMalformed, match=because):
        bank_source(mapping=mapping)


def test_a_source_is_of_an_account_that_there_is(day: Day) -> None:
    with pytest.raises(NotFound):
        bank_source(asset="USD")
    bank_source()
    with pytest.raises(sources.SourceExists):
        bank_source()


def test_a_changed_mapping_reads_later_files_only(day: Day) -> None:
    source = operator_source()
    bring(source, text(HEADER, [f"t1,{ON},10.00,debit,,,"]))
    mapping = CsvMapping(columns={"line_id": "id", "booked_on": "on", "amount": "sum"})
    changed = sources.change(
        environment="test", code=source.code, mapping=mapping, date_window_days=1, actor="user:lee", now=clock.now()
    )
    bring(changed, text("id,on,sum", [f"t2,{ON},1.00"]))
    old, new = StatementFile.objects.order_by("pk")
    assert (old.mapping["columns"]["line_id"], new.mapping["columns"]["line_id"]) == ("Txn", "id")
    assert changed.changed_by == "user:lee"


def test_what_came_in_stays_even_from_raw_sql(day: Day, application_connection: psycopg.Connection[Any]) -> None:
    bring(operator_source(), text(HEADER, [f"t1,{ON},10.00,debit,,,"]))
    for statement in (
        "UPDATE reconciliation_statementline SET amount_minor = 1",
        "UPDATE reconciliation_statementline SET our_key = 'x'",
        "UPDATE reconciliation_statementfile SET content = 'x'",
        "UPDATE reconciliation_statementfile SET sha256 = 'x'",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation), application_connection.transaction():
            application_connection.execute(statement)
    for table in ("line", "file", "match", "source"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application_connection.transaction():
            application_connection.execute(f"DELETE FROM reconciliation_statement{table}")
    application_connection.execute("UPDATE reconciliation_statementline SET unmatched_because = 'x'")


def test_two_imports_at_once_bring_each_line_once(day: Day) -> None:
    source = operator_source()
    files = [
        receive(source, text(HEADER, [*(f"t{n},{ON},{n}.00,debit,,," for n in range(1, 300)), extra]))
        for extra in (f"x,{ON},1.00,debit,,,", f"y,{ON},2.00,debit,,,")
    ]
    now, failed = clock.now(), list[BaseException]()
    gate = threading.Barrier(2)

    def work(file: StatementFile) -> None:
        try:
            gate.wait(10)
            importing.take_in(reference=file.reference, actor="user:fay", now=now)
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert StatementLine.objects.count() == 301
    assert sorted(StatementFile.objects.values_list("new_lines", "known_lines")) == [(1, 299), (300, 0)]


def test_the_command_imports_once_and_tells(day: Day, tmp_path: Path) -> None:
    order = day.processed()
    source = operator_source()
    path = tmp_path / "acme.csv"
    path.write_bytes(text(HEADER, [f"t1,{ON},100.00,debit,{order.partner_order_id},,"]))

    def run(*more: str) -> str:
        out = io.StringIO()
        call_command("import_statement", source.code, str(path), "--environment", "test", *more, stdout=out)
        return out.getvalue()

    assert "1 new" in run("--dry-run")
    assert not StatementLine.objects.exists()
    told = run()
    assert "1 new, 0 known" in told
    assert "1 lines matched now, 0 still stand alone" in told
    assert "imported already" in run()
    assert rules() == {"t1": "partner_order_id"}
    path.write_bytes(text(HEADER, [f"t2,{ON},nothing,debit,,,"]))
    with pytest.raises(CommandError, match="lines are wrong"):
        run()
    path.write_bytes(b"")
    with pytest.raises(CommandError, match="empty"):
        run()
    with pytest.raises(CommandError, match="no statement source"):
        call_command("import_statement", "nowhere", str(path), "--environment", "test")
    assert StatementLine.objects.count() == 1


@pytest.mark.parametrize("header", [f"{HEADER},No\x00te", f"\x00,{HEADER}"])
def test_a_header_that_is_no_text_is_refused(header: str, day: Day) -> None:
    cells = f"t1,{ON},10.00,debit,,,"
    row = f"{cells},x" if header.startswith("Txn") else f"x,{cells}"
    assert "no text" in refused(text(header, [row]))


CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>m1</MsgId></GrpHdr>
<Stmt><Id>s1</Id><Acct><Id><IBAN>DE00</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>"""


def entry(reference: str, amount: str, side: str, *, more: str = "", status: str = "<Cd>BOOK</Cd>") -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>'
        f"<BookgDt><Dt>{ON}</Dt></BookgDt><ValDt><DtTm>{ON}T23:30:00+02:00</DtTm></ValDt>"
        f"<AcctSvcrRef>{reference}</AcctSvcrRef>{more}</Ntry>"
    )


def details(*ids: str) -> str:
    found = "".join(
        f"<TxDtls><Refs><EndToEndId>{one}</EndToEndId></Refs><RmtInf><Ustrd>for {one}</Ustrd></RmtInf></TxDtls>"
        for one in ids
    )
    return f"<NtryDtls>{found}</NtryDtls>"


def test_camt_053_is_read_entry_by_entry(day: Day) -> None:
    source = bank_source(format="camt053", mapping=None)
    received("payin:1", 100_000, subject="int_1")
    received("payout:1", -700, subject="pay_1")
    entries = [
        entry("e1", "1000.00", "CRDT", more=details("int_1")),
        entry("e2", "7", "DBIT", more=details("pay_1"), status="BOOK"),
        entry("e3", "3.10", "CRDT", more="<RvslInd>true</RvslInd>" + details("NOTPROVIDED")),
        entry("e4", "9.00", "CRDT", status="<Cd>PDNG</Cd>"),
        entry("e5", "5.00", "CRDT", more=details("a", "b")),
        entry("e6", "0.40", "DBIT", more="<RvslInd>1</RvslInd>"),
    ]
    file = bring(source, CAMT.format(entries="".join(entries)).encode(), name="camt.xml")
    assert (file.new_lines, file.known_lines) == (5, 0)
    lines = {line.line_id: line for line in StatementLine.objects.all()}
    assert {name: int(line.amount_minor) for name, line in lines.items()} == {
        "e1": 100_000,
        "e2": -700,
        "e3": 310,
        "e5": 500,
        "e6": -40,
    }
    assert (lines["e3"].our_reference, lines["e5"].our_reference) == ("", "")
    assert (lines["e1"].value_on, lines["e1"].description) == (DATE, "for int_1")
    assert (rules()["e1"], rules()["e2"]) == ("our_reference", "our_reference")


def balance(kind: str, amount: str, side: str = "CRDT", *, asset: str = "EUR") -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{asset}">{amount}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{ON}</Dt></Dt></Bal>"
    )


BOOKED = entry("e1", "10.00", "CRDT") + entry("e2", "0.40", "DBIT") + entry("e3", "7.00", "DBIT", status="PDNG")


@pytest.mark.parametrize(
    "balances",
    [
        balance("OPBD", "5.00") + balance("CLBD", "14.60") + balance("CLAV", "7.60"),
        balance("PRCD", "5.00", "DBIT") + balance("CLBD", "4.6"),
        balance("PRCD", "1.00") + balance("OPBD", "5.00") + balance("CLBD", "14.60"),
        balance("OPBD", "5.00") + balance("CLBD", "99.00", asset="USD"),
        balance("OPBD", "5.00"),
        balance("ITBD", "5.00") + balance("CLBD", "99.00"),
    ],
)
def test_entries_that_lie_between_the_balances_come_in(balances: str, day: Day) -> None:
    source = bank_source(format="camt053", mapping=None)
    assert bring(source, CAMT.format(entries=balances + BOOKED).encode(), name="camt.xml").new_lines == 2


@pytest.mark.parametrize(
    "balances",
    [
        balance("OPBD", "5.00") + balance("CLBD", "14.61"),
        balance("OPBD", "5.00", "DBIT") + balance("CLBD", "14.60"),
        balance("PRCD", "0.00") + balance("CLBD", "9.60", "DBIT"),
    ],
)
def test_entries_that_do_not_make_up_what_lies_between_the_balances_are_refused(balances: str, day: Day) -> None:
    content = CAMT.format(entries=balances + BOOKED).encode()
    assert "balances" in refused(content, source=bank_source(format="camt053", mapping=None))


def test_each_statement_of_a_file_has_its_own_balances(day: Day) -> None:
    whole = balance("OPBD", "0.00") + balance("CLBD", "10.00") + entry("e1", "10.00", "CRDT")
    cut = balance("OPBD", "10.00") + balance("CLBD", "10.00") + entry("e2", "1.00", "CRDT")
    content = CAMT.format(entries=f"{whole}</Stmt><Stmt><Id>s2</Id>{cut}").encode()
    assert "s2" in refused(content, source=bank_source(format="camt053", mapping=None))


def batch(*parts: tuple[str, str], asset: str = "EUR", more: str = "") -> str:
    found = "".join(
        f'<TxDtls><Refs><EndToEndId>{one}</EndToEndId></Refs><Amt Ccy="{asset}">{amount}</Amt>{more}</TxDtls>'
        for one, amount in parts
    )
    return f"<NtryDtls>{found}</NtryDtls>"


def test_each_detail_of_a_batch_entry_is_a_line_with_its_own_ids(day: Day) -> None:
    source = bank_source(format="camt053", mapping=None)
    received("payout:1", -700, subject="pay_1")
    received("payout:2", -300, subject="pay_2")
    content = CAMT.format(entries=entry("b1", "10.00", "DBIT", more=batch(("pay_1", "7.00"), ("pay_2", "3.00"))))
    assert bring(source, content.encode(), name="camt.xml").new_lines == 2
    lines = {line.line_id: (int(line.amount_minor), line.our_reference) for line in StatementLine.objects.all()}
    assert lines == {"b1/1": (-700, "pay_1"), "b1/2": (-300, "pay_2")}
    assert rules() == {"b1/1": "our_reference", "b1/2": "our_reference"}
    again = bring(source, content.replace("m1", "m2").encode(), name="again.xml")
    assert (again.new_lines, again.known_lines) == (0, 2)


@pytest.mark.parametrize(
    "more",
    [
        batch(("pay_1", "7.00"), ("pay_2", "2.99")),
        batch(("pay_1", "7.00"), ("pay_2", "-3.00")),
        batch(("pay_1", "7.00"), ("pay_2", "x")),
        batch(("pay_1", "7.00"), ("pay_2", "3.00"), asset="USD"),
        batch(("pay_1", "7.00"), ("pay_2", "3.00"), more="<CdtDbtInd>CRDT</CdtDbtInd>"),
        batch(("pay_1", "10.00")),
        details("pay_1", "pay_2"),
    ],
)
def test_a_batch_entry_whose_details_do_not_make_it_up_is_one_line(more: str, day: Day) -> None:
    bring(
        bank_source(format="camt053", mapping=None),
        CAMT.format(entries=entry("b1", "10.00", "DBIT", more=more)).encode(),
    )
    line = StatementLine.objects.get()
    assert (line.line_id, int(line.amount_minor)) == ("b1", -1_000)


BOMB = """<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt>&b;</Stmt></BkToCstmrStmt>
</Document>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE Document SYSTEM "file:///etc/passwd"><Document/>"""


@pytest.mark.parametrize(
    "content, because",
    [
        (BOMB, "no document type and no entities"),
        (OUTSIDE, "no document type and no entities"),
        ("<Document/>", "no camt.053"),
        (CAMT.replace("053", "052").format(entries=""), "no camt.053"),
        ("not xml", "no XML"),
        (CAMT.format(entries="<Ntry>"), "no XML"),
        (CAMT.format(entries="<a>" * 50 + "</a>" * 50), "nested too deeply"),
        (CAMT.format(entries=f"<Ntry><AddtlNtryInf>{'x' * 3000}</AddtlNtryInf></Ntry>"), "more than 2000"),
        (CAMT.replace("UTF-8", "no-such").format(entries=""), "no XML"),
        (CAMT.format(entries=""), "no lines"),
        (CAMT.format(entries=entry("", "1.00", "CRDT")), "no reference of the servicer"),
        (CAMT.format(entries=entry("e", "-1.00", "CRDT")), "more than zero"),
        (CAMT.format(entries=entry("e", "1.00", "UP")), "CRDT or DBIT"),
        (CAMT.format(entries=entry("e", "1.00", "CRDT").replace("EUR", "XXX")), "no asset"),
        (CAMT.format(entries=entry("e", "1.00", "CRDT").replace(ON, "2026-99-99")), "no date"),
        (CAMT.format(entries=entry("e", "1.00", "CRDT") * 2), "more than once"),
    ],
)
def test_a_hostile_or_broken_camt_file_is_refused(day: Day, content: str, because: str) -> None:
    assert because in refused(content.encode(), source=bank_source(format="camt053", mapping=None))


def test_a_file_put_aside_may_come_again(day: Day) -> None:
    source = operator_source()
    content = text(HEADER, [f"t1,{ON},10.00,debit,,,"])
    aside = receive(source, content)
    importing.discard(reference=aside.reference, actor="user:fay", now=clock.now())
    with pytest.raises(importing.FileEnded):
        importing.take_in(reference=aside.reference, actor="user:fay", now=clock.now())
    assert bring(source, content).pk != aside.pk
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM reconciliation_statementfile ORDER BY id")
        assert [row[0] for row in cursor.fetchall()] == ["discarded", "imported"]
