"""Statements in the console: who sees and works them, a file's dry run and import, a line's match, a settlement."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from ledger import periods
from ledger.controls import clock
from ledger.models import Approval, Move, Transaction
from reconciliation import close_runs
from reconciliation.models import ExceptionCase, StatementFile, StatementLine, StatementMatch, StatementSource
from tests.orders.desk import Desk, reloaded
from tests.reconciliation.statements import HEADER, bank_source, open_bank, operator_source, rules, text

SignIn = Callable[[str, str], Client]

pytestmark = pytest.mark.usefixtures("database")


def processed(desk: Desk, amount: str = "100.00") -> Any:
    order = desk.order(amount)
    desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(order).state == "processed"
    return order


def today() -> str:
    return clock.now().date().isoformat()


def shown(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return unescape(response.content.decode())


def upload(client: Client, source: StatementSource, content: bytes, name: str = "s.csv") -> str:
    form = {"source": str(source), "file": SimpleUploadedFile(name, content)}
    return shown(client.post(reverse("admin:statement-import"), form, follow=True))


def act(client: Client, name: str, *args: object, **form: object) -> str:
    return shown(client.post(reverse(f"admin:{name}", args=args), form, follow=True))


@pytest.mark.parametrize("role", ["support", "ops", "ops lead", "admin", "auditor", "finance", "finance lead"])
def test_finance_works_statements_and_the_auditor_looks(role: str, desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("somebody", role)
    source = operator_source()
    processed(desk)
    sees, works = role in {"auditor", "finance", "finance lead"}, role in {"finance", "finance lead"}
    day = ["test", "acme", today()]
    urls = [
        reverse("admin:statement-import"),
        reverse("admin:statement-source", args=["test", source.code]),
        reverse("admin:statement-source-new"),
        reverse("admin:operator-statements"),
        reverse("admin:operator-statement", args=day),
        reverse("admin:operator-statement", args=day) + "?format=csv",
        reverse("admin:reconciliation_statementline_changelist"),
    ]
    for url in urls:
        assert client.get(url).status_code == (200 if sees else 403), url
    form = {"source": str(source), "file": SimpleUploadedFile("s.csv", text(HEADER, [f"t,{today()},1.00,debit,,,"]))}
    client.post(urls[0], form)
    assert StatementFile.objects.exists() is works
    client.post(urls[2], {"environment": "test"})
    client.post(reverse("admin:operator-statement-act", args=[*day, "propose"]), {"asset": "EUR"})
    assert StatementSource.objects.count() == 1
    assert not Approval.objects.exists()


def test_a_file_is_looked_at_then_imported_then_matched(desk: Desk, signed_in: SignIn) -> None:
    order = processed(desk)
    client = signed_in("fay", "finance")
    source = operator_source()
    content = text(
        HEADER,
        [f"t1,{today()},100.00,debit,{order.partner_order_id},,", f"<b>t2</b>,{today()},5.00,debit,,,"],
    )
    page = upload(client, source, content)
    file = StatementFile.objects.get()
    assert "can be imported" in page
    assert f"partner order id: {order.reference}:debit_confirmed" in page
    assert "&lt;b&gt;t2" in client.get(reverse("admin:statement-file", args=[file.reference])).content.decode()
    assert not StatementLine.objects.exists()

    page = act(client, "statement-file-act", file.reference, "import")
    assert "2 new, 0 known" in page
    assert rules()["t1"] == "partner_order_id"
    assert [move.actor for move in Move.objects.filter(subject=file.reference)] == ["user:fay", "user:fay"]
    assert "was imported before" in upload(client, source, content)
    assert "imported or discarded already" in act(client, "statement-file-act", file.reference, "import")
    listed = shown(client.get(reverse("admin:reconciliation_statementline_changelist") + "?match=none"))
    assert "5.00 EUR" in listed
    assert "100.00 EUR" not in listed
    assert "100.00 EUR" in shown(client.get(reverse("admin:reconciliation_statementline_changelist") + "?match=some"))
    for name in ("statementfile", "statementmatch", "statementsource"):
        shown(client.get(reverse(f"admin:reconciliation_{name}_changelist")))


def test_a_wrong_file_says_which_line_and_why(desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    source = operator_source()
    page = upload(client, source, text(HEADER, [f"t1,{today()},ten,debit,,,", f"t2,{today()},1.00,debit,,,"]))
    assert "nothing is imported" in page
    assert "plain digits" in page
    assert 'id="import"' not in page
    file = StatementFile.objects.get()
    assert "Line 2" in act(client, "statement-file-act", file.reference, "import")
    assert "Put aside" in act(client, "statement-file-act", file.reference, "discard")
    assert "empty" in upload(client, source, b" ")
    assert "Choose a file" in shown(
        client.post(reverse("admin:statement-import"), {"source": str(source)}, follow=True)
    )
    assert "no statement source" in shown(
        client.post(reverse("admin:statement-import"), {"source": "test \x00x"}, follow=True)
    )
    assert not StatementLine.objects.exists()


def test_a_known_line_that_says_otherwise_shows_the_difference(desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    source = operator_source()
    upload(client, source, text(HEADER, [f"t1,{today()},10.00,debit,,,"]))
    act(client, "statement-file-act", StatementFile.objects.get().reference, "import")
    page = upload(client, source, text(HEADER, [f"t1,{today()},12.50,debit,,,"]))
    assert "amount_minor: <del>10.00</del> <ins>12.50</ins>" in page


def test_what_is_near_a_line_s_date_is_not_said_to_have_its_amount(desk: Desk, signed_in: SignIn) -> None:
    processed(desk, "20.00")
    client = signed_in("fay", "finance")
    upload(client, operator_source(), text(HEADER, [f"t1,{today()},20.01,debit,,,"]))
    act(client, "statement-file-act", StatementFile.objects.get().reference, "import")
    page = shown(client.get(reverse("admin:statement-line", args=[StatementLine.objects.get().reference])))
    assert page.count("near its date, of another amount") == 1
    assert "exact amount" not in page


def test_a_line_is_matched_and_taken_apart_by_hand(desk: Desk, signed_in: SignIn) -> None:
    first, second = processed(desk, "20.00"), processed(desk, "20.00")
    client, auditor = signed_in("fay", "finance"), signed_in("ann", "auditor")
    source = operator_source()
    upload(client, source, text(HEADER, [f"t1,{today()},20.00,debit,,,"]))
    act(client, "statement-file-act", StatementFile.objects.get().reference, "import")
    line = StatementLine.objects.get()
    page = shown(client.get(reverse("admin:statement-line", args=[line.reference])))
    assert "Several could be meant" in page
    assert page.count("exact amount within the date window") == 2
    keys = [f"{order.reference}:debit_confirmed" for order in (first, second)]
    assert all(key in page for key in keys)
    chosen = Transaction.objects.get(key=keys[1])
    assert "reason" in act(client, "statement-line-act", line.reference, "match", transaction=chosen.pk)
    assert "by its id" in act(client, "statement-line-act", line.reference, "match", transaction="x", reason="y")
    assert "may not" in act(auditor, "statement-line-act", line.reference, "match", transaction=chosen.pk, reason="y")
    assert not StatementMatch.objects.exists()
    assert keys[1] in act(
        client, "statement-line-act", line.reference, "match", transaction=chosen.pk, reason="told so"
    )
    assert rules() == {"t1": "by_hand"}
    assert "No longer" in act(client, "statement-line-act", line.reference, "unmatch", reason="no")
    act(client, "statement-line-act", line.reference, "match", transaction=chosen.pk, reason="yes after all")
    periods.lock("test", line.business_date, "user:lee", clock.now())
    assert "is locked" in act(client, "statement-line-act", line.reference, "unmatch", reason="late")
    assert rules() == {"t1": "by_hand"}
    assert client.get(reverse("admin:statement-line", args=["stl_nothing"])).status_code == 404
    assert client.post(reverse("admin:statement-line-act", args=[line.reference, "eat"])).status_code == 404
    changed = client.get(reverse("admin:reconciliation_statementline_change", args=[line.pk]))
    assert changed["Location"] == reverse("admin:statement-line", args=[line.reference])


def test_a_source_is_made_and_changed_with_an_audit_entry(desk: Desk, signed_in: SignIn) -> None:
    open_bank()
    client = signed_in("fay", "finance")
    form = {
        "environment": "test",
        "code": "main-bank",
        "name": "Main bank",
        "format": "csv",
        "asset": "EUR",
        "bank": "bank:main",
        "operator": "",
        "date_window_days": "2",
        "delimiter": "comma",
        "date_format": "YYYY-MM-DD",
        "decimal_mark": "point",
        "column-line_id": "Id",
        "column-booked_on": "Date",
    }
    new = reverse("admin:statement-source-new")
    assert "<option selected>test</option>" in shown(client.get(new)), "the book that has records"
    page = shown(client.post(new, form, follow=True))
    assert "Name one amount column" in page
    assert 'value="main-bank"' in page
    page = shown(client.post(new, {**form, "column-amount": "Sum"}, follow=True))
    assert "Main bank: kept" in page
    kept = StatementSource.objects.get()
    assert (kept.mapping["columns"], kept.account, kept.created_by) == (
        {"line_id": "Id", "booked_on": "Date", "amount": "Sum"},
        "bank:main",
        "user:fay",
    )
    for wrong in ({"environment": "moon"}, {"asset": "XXX"}, {"operator": "acme"}, {"date_window_days": "x"}):
        client.post(new, {**form, "column-amount": "Sum", "code": "other", **wrong})
    assert "a source 'main-bank'" in shown(client.post(new, {**form, "column-amount": "Sum"}))
    change = reverse("admin:statement-source", args=["test", "main-bank"])
    client.post(change, {**form, "column-amount": "Total", "date_window_days": "5"})
    kept.refresh_from_db()
    assert (kept.mapping["columns"]["amount"], kept.date_window_days) == ("Total", 5)
    assert StatementSource.objects.count() == 1
    assert LogEntry.objects.filter(object_repr="test main-bank").count() == 2
    assert client.get(reverse("admin:statement-source", args=["test", "nowhere"])).status_code == 404


def test_a_settlement_is_proposed_by_one_and_approved_by_another(desk: Desk, signed_in: SignIn) -> None:
    open_bank()
    day = today()
    processed(desk)
    finance, lead = signed_in("fay", "finance"), signed_in("lee", "finance lead")
    where = ["test", "acme", day]
    url = reverse("admin:operator-statement", args=where)
    form = {"asset": "EUR", "bank": "bank:main", "reason": "weekly"}
    assert 'id="propose-EUR"' not in shown(finance.get(url))
    assert "not over" in act(finance, "operator-statement-act", *where, "propose", **form)
    desk.later(days=1)
    assert "100.00 EUR" in shown(finance.get(url))
    assert "the operator pays us" in shown(finance.get(reverse("admin:operator-statements") + f"?date={day}"))
    assert "Proposed" in act(finance, "operator-statement-act", *where, "propose", **form)
    proposal = Approval.objects.get()
    assert "waits for a decision" in act(finance, "operator-statement-act", *where, "propose", **form)
    decision = {"proposal": proposal.reference, "reason": "agreed"}
    assert "may not" in act(finance, "operator-statement-act", *where, "approve", **decision)
    assert not Transaction.objects.filter(event_type="OPERATOR_SETTLEMENT").exists()
    page = shown(lead.get(url))
    assert "operators:acme:due" in page
    assert "Approved and posted" in act(lead, "operator-statement-act", *where, "approve", **decision)
    assert Transaction.objects.get(event_type="OPERATOR_SETTLEMENT").key == f"settlement:acme:{day}:EUR"
    assert "nothing to settle" in shown(finance.get(url))
    assert "decided meanwhile" in act(lead, "operator-statement-act", *where, "refuse", **decision)
    sheet = finance.get(f"{url}?format=csv")
    lines = b"".join(sheet.streaming_content).decode().splitlines()  # type: ignore[attr-defined]  # it streams
    assert lines[0].startswith("business_date,effective_time,ledger_id,kind")
    assert len(lines) == 2


def test_what_is_not_there_is_not_found(desk: Desk, signed_in: SignIn) -> None:
    bank_source()
    client = signed_in("fay", "finance")
    for args in (
        ["test", "nobody", "2026-01-01"],
        ["moon", "acme", "2026-01-01"],
        ["test", "acme", "yesterday"],
        ["test", "acme", "1066-10-14"],
    ):
        assert client.get(reverse("admin:operator-statement", args=args)).status_code == 404, args
    assert client.get(reverse("admin:operator-statements") + "?date=x").status_code == 404
    assert client.get(reverse("admin:operator-statements") + "?environment=x").status_code == 404
    assert client.get(reverse("admin:statement-file", args=["stf_x"])).status_code == 404
    assert client.post(reverse("admin:statement-file-act", args=["stf_x", "eat"])).status_code == 404
    where = ["test", "acme", "2026-01-01"]
    assert client.post(reverse("admin:operator-statement-act", args=[*where, "eat"])).status_code == 404


def test_exceptions_are_worked_in_bulk(desk: Desk, signed_in: SignIn, settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    source = operator_source()
    client, lead, auditor = (
        signed_in(name, role) for name, role in (("fay", "finance"), ("lee", "finance lead"), ("ann", "auditor"))
    )
    upload(client, source, text(HEADER, [f"t{n},{today()},{n}.00,debit,,," for n in range(1, 4)]))
    act(client, "statement-file-act", StatementFile.objects.get().reference, "import")
    close_runs.run(close=close_runs.ensure(environment="test", business_date=clock.now().date()))
    cases = list(ExceptionCase.objects.order_by("pk"))
    assert {case.type for case in cases} == {"statement_line_unmatched"}
    url = reverse("admin:exceptions-bulk")
    assert "3 cases" in shown(client.get(url))
    assert "0 cases" in shown(client.get(url + "?type=missing_trade&business_date=nonsense&owner=%00"))
    assert signed_in("olga", "ops lead").get(url).status_code == 403

    review = (clock.now().date() + timedelta(days=5)).isoformat()
    chosen = {"do": "assign", "case": [case.reference for case in cases], "owner": "fay", "next_review_on": review}
    assert "may not" in shown(auditor.post(url, chosen))
    assert "Choose cases first" in shown(client.post(url, {**chosen, "case": []}))
    assert "YYYY-MM-DD" in shown(client.post(url, {**chosen, "next_review_on": "soon"}))
    assert "0 assigned to ann, 3 refused" in shown(client.post(url, {**chosen, "owner": "ann"}))
    assert "3 assigned to fay, 1 refused" in shown(client.post(url, {**chosen, "case": [*chosen["case"], "exc_x"]}))
    assert LogEntry.objects.filter(object_repr="3 exceptions assigned to fay").count() == 1

    response = client.get(url + "?state=assigned&format=csv")
    sheet = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # it streams
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert len(rows) == 3
    rows[0].update(resolution="propose approval", reason="too small to chase")
    rows[1].update(resolution="approve", reason="mine")
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    page = shown(client.post(url, {"do": "dry-run", "file": SimpleUploadedFile("e.csv", out.getvalue().encode())}))
    assert "1 changed, 1 unchanged, 1 refused" in page
    assert "Your role may not approve exceptions" in page
    assert not Approval.objects.exists()
    page = shown(client.post(url, {"do": "carry-out", "text": out.getvalue()}))
    assert "Carried out: 1 changed." in page
    assert Approval.objects.get().maker == "user:fay"
    rows[0].update(resolution="approve", reason="seen")
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerow(rows[0])
    shown(lead.post(url, {"do": "carry-out", "text": out.getvalue()}))
    assert ExceptionCase.objects.get(pk=cases[0].pk).state == "approved"
    for wrong in ({"do": "dry-run", "text": "x"}, {"do": "eat"}, {"do": "carry-out", "text": ""}):
        assert "Carried out" not in shown(client.post(url, wrong))
