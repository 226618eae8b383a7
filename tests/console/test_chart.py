"""Chart, event types and templates in the console: seen by finance and auditors, proposed by one, activated by another."""

from collections.abc import Callable
from html import unescape
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from ledger import accounts
from ledger.accounts import Opening
from ledger.chart import bundled
from ledger.models import Approval, ChartVersion, Move, PostingTemplate, Transaction
from tests.ledger.chart.finance import baseline, codes, collection, open_accounts
from tests.ledger.chart.rows import open_as_it_is

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]

NAME = "PAYIN_COLLECTION"
SPLIT = baseline(NAME).replace("destination = $revenue", "destination = { 1/2 to $revenue remaining to $revenue }")


def _page(client: Client, name: str = NAME, **form: str) -> str:
    url = reverse("admin:event-type", args=["test", name])
    response = client.post(url, form, follow=True) if form else client.get(url)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _propose(client: Client, source: str = SPLIT, note: str = "a new contract") -> PostingTemplate:
    _page(client, source=source.replace("\n", "\r\n"), note=note, do="propose")
    return PostingTemplate.objects.get(state="proposed")


def _act(client: Client, row: PostingTemplate | ChartVersion, action: str, reason: str = "agreed") -> str:
    url = reverse("admin:chart-act", args=[row.reference, action])
    return unescape(client.post(url, {"reason": reason}, follow=True).content.decode())


@pytest.mark.parametrize(
    "role, sees, proposes",
    [
        ("support", False, False),
        ("ops", False, False),
        ("ops lead", False, False),
        ("admin", False, False),
        ("auditor", True, False),
        ("finance", True, True),
        ("finance lead", True, True),
    ],
)
def test_finance_and_auditors_see_the_pages_and_finance_proposes(
    role: str, sees: bool, proposes: bool, signed_in: SignIn
) -> None:
    client = signed_in("somebody", role)
    version = PostingTemplate.objects.filter(environment="test").first()
    assert version is not None
    for url in (
        reverse("admin:event-types"),
        reverse("admin:event-types") + "?environment=test",
        reverse("admin:chart-drift"),
        reverse("admin:event-type", args=["test", NAME]),
        reverse("admin:chart-version", args=[version.reference]),
        reverse("admin:chart-export", args=["live"]),
    ):
        assert client.get(url).status_code == (200 if sees else 403), url
    assert client.get(reverse("admin:chart-import", args=["test"])).status_code == (200 if proposes else 403)
    form = {"source": SPLIT, "note": "x", "do": "propose"}
    client.post(reverse("admin:event-type", args=["test", NAME]), form)
    assert PostingTemplate.objects.filter(state="proposed").count() == (1 if proposes else 0)


def test_the_page_of_event_types_shows_each_with_its_phase_pair_version_and_lamp(signed_in: SignIn) -> None:
    page = unescape(signed_in("fina", "finance").get(reverse("admin:event-types")).content.decode())
    for name in bundled.gl_mappings():
        assert f">{name}</a>" in page
    assert "1000 → 2004" in page
    assert "ends TRADE_RESERVE" in page
    assert "no drift of event types" in page
    assert '<span class="hf-lamp red">' not in page


def test_a_planted_drift_lights_the_lamp_and_is_named(
    signed_in: SignIn, superuser_connection: psycopg.Connection[Any]
) -> None:
    open_as_it_is(Opening("somewhere:else", "EUR", accounts.MERCHANT))
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(
        "UPDATE ledger_postingtemplate SET source = replace(source, 'destination = $due', 'destination = $transit')"
        " WHERE event_type = 'ORDER_COMPENSATION' AND environment = 'test'"
    )
    client = signed_in("fina", "finance")
    page = unescape(client.get(reverse("admin:event-types") + "?environment=test").content.decode())
    assert "amount credits transit at GL code 2900, the mapping says 1100" in page
    assert '<span class="hf-lamp red">drift</span>' in page
    page = unescape(client.get(reverse("admin:chart-drift")).content.decode())
    assert "somewhere:else EUR" in page
    assert "no pattern of the chart covers it" in page


def test_a_check_points_at_the_place_and_writes_nothing(signed_in: SignIn) -> None:
    client = signed_in("fina", "finance")
    before = (PostingTemplate.objects.count(), Move.objects.count(), Approval.objects.count())
    page = _page(client, source=SPLIT.replace("send $vat", "sned $vat"), do="check")
    assert "not yet" in page
    assert "| sned $vat (" in page
    assert "   ^" in page
    page = _page(client, source=SPLIT, do="check")
    assert "the draft stands" in page
    assert "+  destination = { 1/2 to $revenue remaining to $revenue }" in page
    assert (PostingTemplate.objects.count(), Move.objects.count(), Approval.objects.count()) == before


def test_a_preview_shows_postings_and_balances_and_posts_nothing(signed_in: SignIn) -> None:
    open_accounts()
    codes(collection("funds", 6000))
    client = signed_in("fina", "finance")
    page = _page(
        client,
        "PAYIN_CHARGEBACK",
        source=baseline("PAYIN_CHARGEBACK"),
        do="preview",
        amount_amount="100.00",
        asset_amount="EUR",
        account_wallet="merchants:m1:available",
        account_receivable="merchants:m1:receivable",
        account_bank="bank:main",
    )
    assert "60.00 EUR" in page
    assert "40.00 EUR" in page
    assert "merchants:m1:receivable" in page
    assert Transaction.objects.count() == 1
    for form, told in (
        ({"amount_amount": "1e2"}, "plain digits"),
        ({"amount_amount": "1.00", "asset_amount": "XXX"}, "no asset"),
        ({"amount_amount": "1.00"}, "needs the account"),
        ({}, "needs the amount amount"),
        ({"mapping": "{"}, "not JSON"),
    ):
        assert told in _page(client, "PAYIN_CHARGEBACK", source=baseline("PAYIN_CHARGEBACK"), do="preview", **form)


def test_a_template_is_changed_by_two_people_and_old_transactions_keep_their_version(signed_in: SignIn) -> None:
    open_accounts()
    codes(collection("before", 100, fee=4))
    finance, lead = signed_in("fina", "finance"), signed_in("lee", "finance lead")
    row = _propose(finance)
    assert row.source == SPLIT
    assert "Your role may not" in _act(finance, row, "activate")
    assert "A reason is needed" in _act(lead, row, "activate", reason=" ")
    assert PostingTemplate.objects.get(pk=row.pk).state == "proposed"
    assert f"Active: {row.reference} (version 2)" in _act(lead, row, "activate")
    codes(collection("after", 100, fee=4))
    page = lead.get(reverse("admin:ledger_transaction_changelist")).content.decode()
    first = PostingTemplate.objects.get(environment="test", event_type=NAME, number=1)
    assert f'href="{reverse("admin:chart-version", args=[first.reference])}">version 1</a>' in page
    assert f'href="{reverse("admin:chart-version", args=[row.reference])}">version 2</a>' in page
    old = lead.get(reverse("admin:chart-version", args=[first.reference])).content.decode()
    assert "retired" in old
    kept = Transaction.objects.get(key="before")
    change = lead.get(reverse("admin:ledger_transaction_change", args=[kept.pk]))
    assert "version 1" in change.content.decode()


def test_nobody_activates_their_own_superusers_included(signed_in: SignIn) -> None:
    lead = signed_in("lee", "finance lead")
    User.objects.update(is_superuser=True)
    row = _propose(lead)
    assert "different people" in _act(lead, row, "activate")
    assert PostingTemplate.objects.get(pk=row.pk).state == "proposed"
    assert "nothing has changed" in _act(lead, row, "refuse")
    assert PostingTemplate.objects.get(pk=row.pk).state == "draft"
    assert Approval.objects.get().decision == "withdrawn"


def test_a_lead_refuses_and_finance_may_not_refuse_anothers(signed_in: SignIn) -> None:
    fina, finn, lead = signed_in("fina", "finance"), signed_in("finn", "finance"), signed_in("lee", "finance lead")
    row = _propose(fina)
    assert "Your role may not" in _act(finn, row, "refuse")
    assert PostingTemplate.objects.get(pk=row.pk).state == "proposed"
    _act(lead, row, "refuse", reason="no")
    assert Approval.objects.get().decision == "refused"


def test_deciding_needs_post_and_a_csrf_token(signed_in: SignIn) -> None:
    row = _propose(signed_in("fina", "finance"))
    lead = signed_in("lee", "finance lead")
    url = reverse("admin:chart-act", args=[row.reference, "activate"])
    assert lead.get(url).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = lead.cookies
    assert strict.post(url, {"reason": "x"}).status_code == 403
    assert lead.post(reverse("admin:chart-act", args=[row.reference, "delete"])).status_code == 404
    assert PostingTemplate.objects.get(pk=row.pk).state == "proposed"


def test_a_chart_is_imported_by_two_people(signed_in: SignIn) -> None:
    finance, lead = signed_in("fina", "finance"), signed_in("lee", "finance lead")
    url = reverse("admin:chart-import", args=["test"])
    text = (
        "gl_code,name,account_class,normal_side,workflow_view,address,balance_rule\n"
        "5100,Bank fees,expense,debit,costs,costs:{what},none\n"
        "1000,Banks,asset,debit,banks,bank:{bank},none\n"
    )
    page = unescape(finance.post(url, {"text": text, "do": "dry-run"}).content.decode())
    assert "1 new, 1 changed, 0 unchanged, 0 wrong" in page
    assert "<ins" in page
    assert ChartVersion.objects.filter(environment="test").count() == 1
    bad = text.replace("expense", "<b>expenses</b>")
    page = finance.post(url, {"text": bad, "do": "propose", "note": "x"}).content.decode()
    assert "&lt;b&gt;expenses&lt;/b&gt;" in page
    assert "nothing is imported" in page
    assert ChartVersion.objects.filter(environment="test").count() == 1
    finance.post(url, {"text": text, "do": "propose", "note": "fees"})
    row = ChartVersion.objects.get(state="proposed")
    page = lead.get(reverse("admin:chart-version", args=[row.reference])).content.decode()
    assert "costs:{what}" in page
    _act(lead, row, "activate")
    exported = lead.get(reverse("admin:chart-export", args=["test"])).content.decode()
    assert "5100,Bank fees,expense,debit,costs,costs:{what},none" in exported
    again = unescape(finance.post(url, {"text": exported, "do": "dry-run"}).content.decode())
    assert "the file changes nothing" in again
    more = unescape(
        finance.post(url, {"text": exported + "5200,Rent,expense,debit,costs,rent:{w},none\n"}).content.decode()
    )
    result = more.partition('id="result"')[2]
    assert -1 < result.index("5200") < result.index("5100"), "what changes stands before what does not"


def test_a_page_that_is_not_there_is_404(signed_in: SignIn) -> None:
    client = signed_in("fina", "finance")
    for url in (
        reverse("admin:event-type", args=["test", "NOTHING"]),
        reverse("admin:event-type", args=["moon", NAME]),
        reverse("admin:chart-version", args=["tpl_nothing"]),
        reverse("admin:chart-import", args=["moon"]),
    ):
        assert client.get(url).status_code == 404, url
