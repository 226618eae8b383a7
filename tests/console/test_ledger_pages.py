"""The book in the console: reports that open what is behind them, CSV that says the same, adjustments by two people."""

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger import accounts, seals
from ledger.accounts import Opening
from ledger.controls.roles import Role
from ledger.models import Account, Approval, Posting, Transaction
from tests.ledger.door import Item, Move, codes

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]

BANK, U1, U2, TRANSIT = "bank:b1", "users:u1:available", "users:u2:available", "transit:transfers"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REPORTS = ("trial-balance", "alm", "balances")


@pytest.fixture
def book() -> None:
    """u1 has 100.00, of which 20.00 are held and 30.00 went to u2."""
    kinds = {BANK: accounts.BANK, U1: accounts.USER, U2: accounts.USER, TRANSIT: accounts.TRANSFER_TRANSIT_KIND}
    openings = [Opening(address, "EUR", kind) for address, kind in kinds.items()]
    accounts.open_accounts(environment="test", openings=[*openings, Opening("@world", "EUR", accounts.OUTSIDE)])
    assert (
        codes(
            Item("in", [Move(BANK, U1, 10_000)], subject="=1+1", effective_at=NOON),
            Item("pay", [Move(U1, U2, 3_000)], refs={"note": "<b>bold</b>"}),
            Item("held", [Move(U1, TRANSIT, 2_000)], "reserve"),
        )
        == ["created"] * 3
    )


def page(client: Client, name: str, *args: object, query: str = "") -> str:
    response = client.get(reverse(f"admin:{name}", args=args) + query)
    assert response.status_code == 200, (name, response.status_code)
    return response.content.decode()


def cells(shown: str) -> list[list[str]]:
    """Return the rows of a page's tables, without markup."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", shown, re.DOTALL)
    return [
        [
            html.unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def sheet(client: Client, url: str) -> list[dict[str, str]]:
    response = client.get(url)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # a streaming response
    return list(csv.DictReader(io.StringIO(text)))


def read(cell: str) -> str | Decimal:
    """What a cell means: pages write amounts for people, with thousands apart and a bare 0."""
    try:
        return Decimal(cell.replace(",", ""))
    except InvalidOperation:
        return cell


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_the_book_is_finances_and_the_auditors(role: str, book: None, signed_in: SignIn) -> None:
    client = signed_in("somebody", role)
    expected = 200 if role in {"finance", "finance lead", "auditor"} else 403
    transaction = Transaction.objects.get(key="in")
    urls = [reverse(f"admin:report-{name}") for name in REPORTS]
    urls += [
        reverse("admin:ledger-account", args=["test", "EUR", U1]),
        reverse("admin:ledger-transaction", args=[transaction.pk]),
        reverse("admin:adjustments"),
    ]
    for url in [*urls, f"{urls[0]}?format=csv", f"{urls[3]}?format=csv"]:
        assert client.get(url).status_code == expected, url


def test_a_total_opens_the_rows_behind_it_down_to_the_postings(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    trial = page(client, "report-trial-balance", query="?environment=test&asset=EUR")
    assert ["2005", "liability", "2", "30.00", "130.00", "20.00", "0", "0", "100.00"] in cells(trial)
    assert ["Total", "", "", "130.00", "130.00", "20.00", "20.00", "100.00", "100.00"] in cells(trial)
    assert "every asset sums to zero" in trial
    assert "provisional" in trial
    link = html.unescape(re.findall(r'href="([^"]*gl_code=2005[^"]*)"', trial)[0])
    rows = client.get(link).content.decode()
    assert [U1, "EUR", "2005", "liability", "wallets", "30.00", "100.00", "20.00", "0", "70.00"] in cells(rows)
    assert BANK not in rows
    link = html.unescape(re.findall(rf'href="([^"]*{U1}/)[?"]', rows)[0])
    account = client.get(link).content.decode()
    assert [row[0] for row in cells(account) if row and row[0] in ("Opening", "Closing")] == ["Opening", "Closing"]
    assert ["Closing", "30.00", "100.00", "20.00", "0"] in cells(account)
    assert "50.00 EUR" in account  # available
    link = reverse("admin:ledger-transaction", args=[Transaction.objects.get(key="pay").pk])
    assert link in account
    transaction = client.get(link).content.decode()
    posting = Posting.objects.get(transaction__key="pay")
    assert [posting.reference, "posted", U1, U2, "30.00 EUR"] in cells(transaction)
    assert "&lt;b&gt;bold&lt;/b&gt;" in transaction


def test_what_a_total_opens_is_as_of_the_same(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    for report in ("report-trial-balance", "report-alm"):
        shown = page(client, report, query="?environment=test&asset=EUR&date=2026-03-02")
        for link in re.findall(r'href="([^"]*/balances/[?][^"]*)"', shown):
            rows = client.get(html.unescape(link)).content.decode()
            assert "the end of 2026-03-02" in rows
            if f"/{U1}/" in rows:
                account = client.get(html.unescape(re.findall(rf'href="([^"]*{U1}/[^"]*)"', rows)[0])).content.decode()
                assert ["Closing", "0", "100.00", "0", "0"] in cells(account)
                break
        else:
            raise AssertionError(f"{report} opens no row of {U1}")


def test_each_part_of_the_alm_is_the_sum_of_the_rows_that_it_opens(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    shown = page(client, "report-alm", query="?environment=test&asset=EUR")
    assert ["covers", "Total", "", "", "100.00", ""] in cells(shown)
    assert ["owed", "Total", "", "", "100.00", ""] in cells(shown)
    link = html.unescape(re.findall(r'href="([^"]*account_class=liability[^"]*view=wallets[^"]*)"', shown)[0])
    rows = [row for row in cells(client.get(link).content.decode()) if len(row) == 10][1:]
    assert [(row[0], row[9]) for row in rows] == [(U1, "70.00"), (U2, "30.00")]


def test_csv_says_what_the_page_says(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    for name, width in (("trial-balance", 9), ("balances", 10)):
        url = reverse(f"admin:report-{name}") + "?environment=test&asset=EUR"
        shown = [row for row in cells(client.get(url).content.decode()) if len(row) == width and row[0] != "Total"][1:]
        rows = sheet(client, f"{url}&format=csv")
        amounts = [[read(value) for key, value in row.items() if "posted" in key or "pending" in key] for row in rows]
        first = 3 if name == "trial-balance" else 5
        assert amounts == [[read(cell) for cell in row[first : first + 4]] for row in shown], name
        assert len(rows) > 2
    url = reverse("admin:report-alm") + "?environment=test&asset=EUR"
    shown = [row for row in cells(client.get(url).content.decode()) if len(row) == 6 and row[1] != "Total"][1:]
    rows = sheet(client, f"{url}&format=csv")
    assert [list(map(read, list(row.values())[1:7])) for row in rows] == [list(map(read, row)) for row in shown]
    assert {row["as_of"] for row in rows} == {"now"}
    statement = reverse("admin:ledger-account", args=["test", "EUR", U1])
    lines = [row for row in cells(client.get(statement).content.decode()) if len(row) == 11][1:]
    assert [
        [read(row["posted"]), read(row["pending"]), read(row["credits_posted_after"])]
        for row in sheet(client, f"{statement}?format=csv")
    ] == [[read(row[5]), read(row[6]), read(row[8])] for row in lines]
    assert sheet(client, f"{statement}?format=csv")[0]["subject"] == "'=1+1"


def test_a_report_is_as_of_what_its_filters_say(book: None, signed_in: SignIn) -> None:
    client = signed_in("ann", "auditor")
    block = seals.seal("test")
    assert block is not None
    before = page(client, "report-trial-balance", query=f"?environment=test&block={block.number}")
    codes(Item("more", [Move(BANK, U2, 5)]))
    after = page(client, "report-trial-balance", query=f"?environment=test&block={block.number}")
    assert cells(after) == cells(before)
    assert block.root in after
    assert "final" in after
    day = page(client, "report-balances", query="?environment=test&date=2026-03-02&gl_code=2005")
    assert [row[9] for row in cells(day) if row and row[0] == U1] == ["100.00"]
    period = page(client, "report-balances", query="?environment=test&from=2026-03-03&to=2026-03-04&gl_code=2005")
    assert [row[9] for row in cells(period) if row and row[0] == U1] == ["0"]
    for query in (
        "block=0",
        "block=x",
        "block=999",
        "date=nonsense",
        "from=2026-03-02",
        "block=1&date=2026-03-02",
        "date=1066-10-14",
    ):
        assert "Shown is now." in page(client, "report-alm", query=f"?environment=test&{query}"), query
    assert page(client, "report-balances", query="?environment=nowhere&asset=XXX&after=%00&gl_code=%00&view='")


def test_alm_and_the_charts_show_money_in_flight(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance lead")
    codes(Item("fly", [Move(U1, TRANSIT, 1_000)], effective_at=NOON))
    shown = page(client, "report-alm", query="?environment=test&asset=EUR")
    assert "surplus 0" in shown
    (bars,) = re.findall(r'aria-label="covers, owed and in flight in EUR".*?</svg>', shown, re.DOTALL)
    assert re.findall(r">([a-z ]+|[0-9.]+)</text>", bars) == ["covers", "100.00", "owed", "90.00", "in flight", "10.00"]
    assert re.findall(r'width="([0-9]+)"', bars) == ["300", "270", "30"]
    assert ["in_flight", "liability", "in_flight", "1", "10.00", "20.00"] in cells(shown)
    assert "money in flight in EUR by day" in shown
    assert shown.count("<circle") == 30
    account = page(client, "ledger-account", "test", "EUR", U1)
    assert "balance in EUR by day" in account
    assert "held" in account
    for outside in ("http://", "https://"):
        assert f'<script src="{outside}' not in shown


def test_money_in_flight_by_day_is_of_the_chosen_scope(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance lead")
    codes(Item("fly", [Move(U1, TRANSIT, 1_000)], effective_at=NOON))
    for query, first, last, amounts in (
        ("date=2026-03-02", "2026-02-01", "2026-03-02", ["0"] * 29 + ["10.00"]),
        ("date=2026-03-01", None, None, []),
        ("from=2026-03-01&to=2026-03-03", "2026-03-01", "2026-03-03", ["0", "10.00", "10.00"]),
    ):
        shown = page(client, "report-alm", query=f"?environment=test&asset=EUR&{query}")
        points = re.findall(r"<title>(\S+): (\S+) EUR</title>", shown)
        assert [amount for _, amount in points] == amounts, query
        if not points:
            assert "at the end of any of these dates" in shown
        else:
            assert (points[0][0], points[-1][0]) == (first, last)


def test_a_hold_and_its_end_point_at_each_other(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    codes(Item("post", [Move(U1, TRANSIT, 500)], "settle", hold="held"))
    placed, ended = (Transaction.objects.get(key=key) for key in ("held", "post"))
    shown = page(client, "ledger-transaction", placed.pk)
    assert "<strong>posted</strong>" in shown
    assert reverse("admin:ledger-transaction", args=[ended.pk]) in shown
    assert reverse("admin:ledger-transaction", args=[placed.pk]) in page(client, "ledger-transaction", ended.pk)
    assert "None." in page(client, "ledger-account", "test", "EUR", U1)


def test_what_is_not_there_is_not_found(book: None, signed_in: SignIn) -> None:
    client = signed_in("fay", "finance")
    for url in (
        reverse("admin:ledger-account", args=["live", "EUR", U1]),
        reverse("admin:ledger-account", args=["nowhere", "EUR", U1]),
        reverse("admin:ledger-account", args=["test", "JPY", U1]),
        reverse("admin:ledger-account", args=["test", "EUR", U1]) + "?after=x",
        reverse("admin:ledger-transaction", args=["00000000-0000-0000-0000-000000000001"]),
        reverse("admin:adjustment", args=["apr_nobody"]),
        reverse("admin:report-alm").replace("alm", "nothing"),
    ):
        assert client.get(url).status_code == 404, url


def form(**changes: str) -> dict[str, str]:
    return {
        "kind": "adjustment",
        "key": "adjustment:one",
        "environment": "test",
        "debit": U1,
        "credit": BANK,
        "amount": "5.00",
        "asset": "EUR",
        "reason": "booked twice",
        "act": "propose",
        **changes,
    }


def test_an_adjustment_takes_two_people_and_previews_its_postings(book: None, signed_in: SignIn) -> None:
    maker, lead, auditor = signed_in("fay", "finance"), signed_in("fred", "finance lead"), signed_in("ann", "auditor")
    url = reverse("admin:adjustments")
    before = Posting.objects.count()
    preview = maker.post(url, form(act="preview")).content.decode()
    assert [U1, BANK, "5.00 EUR"] in cells(preview)
    assert not Approval.objects.exists()
    assert maker.post(url, form()).status_code == 302
    proposal = Approval.objects.get()
    assert (proposal.maker, proposal.reason, Posting.objects.count()) == ("user:fay", "booked twice", before)
    assert "waits for a decision" in maker.post(url, form(), follow=True).content.decode()
    shown = page(lead, "adjustment", proposal.reference)
    assert [U1, "EUR", "70.00", "65.00"] in cells(shown)
    assert [BANK, "EUR", "100.00", "95.00"] in cells(shown)
    approve = reverse("admin:adjustment-decide", args=[proposal.reference, "approve"])
    for client in (maker, auditor):
        assert "Your role may not" in client.post(approve, {"reason": "me"}, follow=True).content.decode()
    assert "need a reason" in lead.post(approve, {}, follow=True).content.decode()
    assert Posting.objects.count() == before
    assert "Approved and posted." in lead.post(approve, {"reason": "seen"}, follow=True).content.decode()
    posted = Transaction.objects.get(key="adjustment:one")
    assert posted.refs == {"approval": proposal.reference}
    assert str(posted.pk) in page(auditor, "adjustment", proposal.reference)
    assert "decided meanwhile" in lead.post(approve, {"reason": "again"}, follow=True).content.decode()
    assert Posting.objects.count() == before + 1
    assert list(LogEntry.objects.order_by("id").values_list("object_repr", flat=True)) == [
        f"{proposal.reference} proposed",
        f"{proposal.reference} approved",
    ]


def test_nobody_approves_their_own_adjustment_and_a_refused_one_posts_nothing(book: None, signed_in: SignIn) -> None:
    lead, other = signed_in("fred", "finance lead"), signed_in("fay", "finance")
    lead.post(reverse("admin:adjustments"), form())
    reference = Approval.objects.get().reference
    approve = reverse("admin:adjustment-decide", args=[reference, "approve"])
    assert "different people" in lead.post(approve, {"reason": "mine"}, follow=True).content.decode()
    refuse = reverse("admin:adjustment-decide", args=[reference, "refuse"])
    assert "nothing was posted" in other.post(refuse, {"reason": "no"}, follow=True).content.decode()
    assert Approval.objects.get().decision == "refused"
    assert not Transaction.objects.filter(key="adjustment:one").exists()
    for url in (approve, refuse):
        assert lead.get(url).status_code == 405


@pytest.mark.parametrize(
    "change, told",
    [
        ({"amount": "5.001"}, "at most 2 decimals"),
        ({"amount": "-5"}, "plain digits"),
        ({"amount": "0.00"}, "more than zero"),
        ({"amount": ""}, "more than zero"),
        ({"asset": "XXX"}, "no asset"),
        ({"environment": "nowhere"}, "no such environment"),
        ({"kind": "gift"}, "no such form"),
        ({"key": "ord_1"}, "outdated"),
        ({"debit": "some:where"}, "takes no such debit"),
        ({"debit": "users:nobody:available"}, "debit_account_not_found"),
        ({"amount": "80.01"}, "exceeds_credits"),
        ({"reason": " "}, "need a reason"),
        ({"effective_at": "yesterday"}, "effective time"),
        ({"effective_at": "2026-03-02T12:00:00"}, "effective time"),
    ],
)
def test_nothing_is_proposed_when_the_form_is_bad(
    book: None, signed_in: SignIn, change: dict[str, str], told: str
) -> None:
    client = signed_in("fay", "finance")
    answer = client.post(reverse("admin:adjustments"), form(**change))
    assert answer.status_code == 200
    assert told in html.unescape(answer.content.decode())
    assert not Approval.objects.exists()
    assert Account.objects.count() == 5


def test_an_adjustment_is_proposed_when_its_offset_is_wider_than_the_database_knows(
    book: None, signed_in: SignIn
) -> None:
    client = signed_in("fay", "finance")
    client.post(reverse("admin:adjustments"), form(effective_at="2026-03-02T13:00:00-23:00"))
    assert Approval.objects.get().content["draft"]["effective_at"] == "2026-03-03T12:00:00+00:00"


def test_an_adjustment_into_a_locked_period_is_refused(book: None, signed_in: SignIn) -> None:
    from ledger import periods

    periods.lock("test", NOON.date(), "user:f", NOON)
    client = signed_in("fay", "finance")
    answer = client.post(reverse("admin:adjustments"), form(effective_at="2026-03-02T13:00:00Z"))
    told = answer.content.decode()
    assert "period_locked. Its effective time lies in a locked date: leave it empty to post now" in told
    assert not Approval.objects.exists()


def test_pages_take_few_queries(
    book: None, signed_in: SignIn, django_assert_max_num_queries: Callable[..., object]
) -> None:
    client = signed_in("fay", "finance")
    codes(*(Item(f"n{n}", [Move(BANK, U2, 1)]) for n in range(40)))
    urls = [reverse(f"admin:report-{name}") + "?environment=test" for name in REPORTS]
    urls.append(reverse("admin:ledger-account", args=["test", "EUR", U2]))
    for url in urls:
        with django_assert_max_num_queries(20):  # type: ignore[attr-defined]  # a context manager
            assert client.get(url).status_code == 200
