"""Fee and limit rules in the console: drafted, tried and proposed by one, approved by another; what cannot be done says why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from ledger.controls import clock, references
from ledger.models import Approval, Move
from ledger.money import Money
from orders.models import Intent
from reconciliation import rule_trials
from reconciliation.rule_trials import FeeTrial, LimitTrial
from tests.orders.desk import Desk
from tests.wallets.people import operator, wallet
from tests.wallets.rules import fee, in_force, limit
from wallets import pricing, rules
from wallets.conditions import ConditionFailed
from wallets.models import FeeRule, LimitRule, Operator, RuleFailure, Wallet
from wallets.rule_terms import Terms, Tier

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]

FORM = {
    "code": "transfer-fee-thb", "name": "transfer_fee", "flow": "transfer", "channel": "", "asset": "THB",
    "operator": "every operator", "priority": "100", "phase": "PRE", "fixed": "5.00", "note": "a new contract",
}  # fmt: skip
LIMIT = {
    "code": "daily-thb", "name": "daily", "flow": "any", "channel": "", "asset": "THB", "operator": "every operator",
    "priority": "100", "scope": "wallet", "period": "day", "cap": "50000.00",
}  # fmt: skip


def _new(client: Client, kind: str = "fee", **form: str) -> str:
    url = reverse("admin:rule-new", args=["test", kind])
    response = client.post(url, {**(FORM if kind == "fee" else LIMIT), **form}, follow=True)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _page(client: Client, rule: FeeRule | LimitRule, query: str = "") -> str:
    response = client.get(reverse("admin:rule", args=[rule.reference]) + query)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _act(client: Client, rule: FeeRule | LimitRule, action: str, reason: str = "agreed") -> str:
    url = reverse("admin:rule-act", args=[rule.reference, action])
    seen = rules.seen_of(rules.named(rule.reference))
    return unescape(client.post(url, {"reason": reason, "seen": seen}, follow=True).content.decode())


def _transfer(
    minor: int, *, payer: Wallet, at: datetime | None = None, asset: str = "THB", charged: int = 0, **values: Any
) -> Intent:
    """Store a transfer as the past left it; dry runs only read."""
    moment = at or clock.now()
    intent = Intent(
        reference=references.new(references.Prefix.INTENT), environment="test", operator_id=payer.operator_id,
        kind="transfer", channel="internal", payer=payer.reference, asset=asset, amount_minor=minor, fee_minor=charged,
        created_at=moment, updated_at=moment, **values,
    )  # fmt: skip
    intent.save(force_insert=True)
    return intent


@pytest.mark.parametrize(
    ("role", "sees", "proposes"),
    [
        ("support", False, False),
        ("ops", True, False),
        ("ops lead", True, False),
        ("admin", True, False),
        ("auditor", True, False),
        ("finance", True, True),
        ("finance lead", True, True),
    ],
)
def test_who_sees_the_rules_and_who_drafts_them(role: str, sees: bool, proposes: bool, signed_in: SignIn) -> None:
    rule = in_force(fee(asset="THB", fixed_minor=1), code="house")
    client = signed_in("somebody", role)
    for url in (
        reverse("admin:rules") + "?environment=test",
        reverse("admin:rule", args=[rule.reference]),
        reverse("admin:rule-new", args=["test", "fee"]),
        reverse("admin:rule-new", args=["test", "limit"]) + f"?after={rule.reference}",
    ):
        expected = 404 if "after" in url and sees else 200 if sees else 403
        assert client.get(url).status_code == expected, url
    if sees:
        page = unescape(client.get(reverse("admin:rules") + "?environment=test").content.decode())
        assert ("Your role may not propose fee and limit rules." in page) is not proposes
        _new(client)
    assert FeeRule.objects.filter(state="draft").count() == (1 if proposes else 0)
    response = client.post(reverse("admin:rule-act", args=[rule.reference, "retire"]), {"reason": "x"})
    assert response.status_code == (302 if sees else 404)
    assert Approval.objects.filter(decision="proposed").count() == (1 if proposes else 0)


def test_a_rule_is_drafted_edited_proposed_and_approved_by_two_people(signed_in: SignIn) -> None:
    finance, lead = signed_in("fina", "finance"), signed_in("lee", "finance lead")
    assert "is a draft: try it, then propose it" in _new(finance)
    rule = FeeRule.objects.get()
    assert (rule.phase, int(rule.fixed_minor), rule.operator_id or 0, rule.made_by) == ("PRE", 500, 0, "user:fina")
    url = reverse("admin:rule", args=[rule.reference])
    assert "The draft is changed" in finance.post(url, {**FORM, "fixed": "6.00"}, follow=True).content.decode()
    page = _page(finance, rule)
    assert "6.00" in page
    assert '<div class="hf-why">Nothing is proposed.</div>' in page, "why it cannot be approved"
    assert "It is draft, not active." in page
    assert "Proposed: a second person" in _act(finance, rule, "propose")
    assert "Only a draft can be changed" in finance.post(url, FORM, follow=True).content.decode()
    assert "You proposed it: somebody else has to decide." in _page(finance, rule)
    assert "Your role may not" in _act(finance, rule, "approve")
    assert "A reason is needed" in _act(lead, rule, "approve", reason=" ")
    assert FeeRule.objects.get().state == "proposed"
    assert "version 1 is active, at once" in _act(lead, rule, "approve")
    assert FeeRule.objects.get().state == "active"
    assert [move.actor for move in Move.objects.filter(subject=rule.reference)] == ["user:fina"] * 2 + ["user:lee"]


def test_nobody_approves_their_own_superusers_included(signed_in: SignIn) -> None:
    lead = signed_in("lee", "finance lead")
    User.objects.update(is_superuser=True)
    _new(lead)
    rule = FeeRule.objects.get()
    _act(lead, rule, "propose")
    assert "Maker and checker must be different people" in _act(lead, rule, "approve")
    assert FeeRule.objects.get().state == "proposed"


def test_what_somebody_changed_meanwhile_is_not_proposed_unseen_nor_approved_by_them(signed_in: SignIn) -> None:
    finance, lead = signed_in("fina", "finance"), signed_in("lee", "finance lead")
    _new(finance)
    rule = FeeRule.objects.get()
    looked_at = rules.seen_of(rule)
    assert f'name="seen" value="{looked_at}"' in _page(finance, rule)
    lead.post(reverse("admin:rule", args=[rule.reference]), {**FORM, "fixed": "9.00"})
    url = reverse("admin:rule-act", args=[rule.reference, "propose"])
    for seen in ({"seen": looked_at}, {}):
        finance.post(url, {"reason": "agreed", **seen})
        assert FeeRule.objects.get().state == "draft"
    _act(finance, rule, "propose")
    assert "You wrote or last changed it: somebody else has to decide." in _page(lead, rule)
    assert "does not approve it" in _act(lead, rule, "approve")
    assert FeeRule.objects.get().state == "proposed"
    assert "version 1 is active, at once" in _act(signed_in("lisa", "finance lead"), rule, "approve")


def test_a_rule_is_taken_away_by_two_people(signed_in: SignIn) -> None:
    finance, lead = signed_in("fina", "finance"), signed_in("lee", "finance lead")
    rule = in_force(limit(asset="THB"), code="daily")
    assert "It stands until then" in _act(finance, rule, "retire")
    assert "to be taken away" in finance.get(reverse("admin:rules") + "?environment=test").content.decode()
    assert "That is proposed already." in _page(finance, rule)
    assert "is retired, at once" in _act(lead, rule, "approve")
    assert LimitRule.objects.get().state == "retired"


def test_the_next_version_begins_with_what_stands(signed_in: SignIn) -> None:
    tiers = (Tier(10_000, 100, 0), Tier(None, 0, 25))
    rule = in_force(fee("transfer_fee", asset="THB", tiers=tiers, maximum_minor=900, condition="bulk"), code="house")
    client = signed_in("fina", "finance")
    url = reverse("admin:rule-new", args=["test", "fee"]) + f"?after={rule.reference}"
    page = unescape(client.get(url).content.decode())
    assert ">100.00 1.00 0\nabove 0.00 25</textarea>" in page
    form = {**FORM, "code": "house", "fixed": "", "phase": "POST", "tiers": "100.00 1.00 0\r\nabove 0.00 30\r\n"}
    client.post(url, form)
    made = FeeRule.objects.get(state="draft")
    assert (made.code, made.number) == ("house", 2)
    assert made.tiers[1] == {"up_to_minor": None, "fixed_minor": "0", "basis_points": 30}
    assert "above 0.00 25" in _page(client, made), "beside what stands"


OFF = [
    ("an amount with an exponent", {"fixed": "1e2"}, "An amount is plain digits"),
    ("too many decimals", {"fixed": "1.001"}, "at most 2 decimals"),
    ("basis points in words", {"basis_points": "many"}, "A whole number is needed."),
    ("basis points in other digits", {"basis_points": "٣"}, "A whole number is needed."),
    ("a moment that is none", {"valid_from": "tomorrow"}, "YYYY-MM-DD HH:MM"),
    ("an operator that there is not", {"operator": "nobody"}, "There is no such operator."),
    ("a tier of two words", {"tiers": "100.00 1.00"}, "an amount (or “above”)"),
    ("a tier that is no amount", {"tiers": "x 1.00 0"}, "an amount (or “above”)"),
    ("an asset that there is not", {"asset": "XXX"}, "There is no asset"),
    ("a code in capitals", {"code": "FEE"}, "1 to 60 of the characters"),
    ("a hostile condition", {"condition": "[1].all(x, x > 0)"}, "A list may only stand after"),
    ("on top of a buy", {"flow": "buy"}, "Nobody pays on top of a buy"),
]


@pytest.mark.parametrize(("case", "form", "told"), OFF, ids=[row[0] for row in OFF])
def test_a_form_that_is_off_says_what_and_writes_nothing(
    case: str, form: dict[str, str], told: str, signed_in: SignIn
) -> None:
    page = _new(signed_in("fina", "finance"), **form)
    assert told in page
    assert 'value="transfer_fee"' in page, "what was typed stays in the form"
    assert FeeRule.objects.count() == 0


def test_a_limit_without_a_cap_is_not_a_limit_of_nothing(signed_in: SignIn) -> None:
    assert "A cap is needed." in _new(signed_in("fina", "finance"), "limit", cap="")
    assert LimitRule.objects.count() == 0


def _try(terms: Terms, code: str = "house") -> FeeTrial | LimitTrial:
    rule = rules.draft(environment="test", code=code, terms=terms, note="", actor="user:fina", now=clock.now())
    if isinstance(rule, FeeRule):
        return rule_trials.try_fee(rule, now=clock.now())
    return rule_trials.try_limit(rule, now=clock.now())


def test_a_dry_run_tells_the_difference_in_money_per_payment_and_in_all(signed_in: SignIn) -> None:
    payer = wallet(assets=["THB"], kind="merchant")
    in_force(fee(asset="THB", phase="PRE", fixed_minor=500, vat_basis_points=700), code="house")
    for minor in (100_000, 20_000, 1_000_000):
        _transfer(minor, payer=payer, charged=300)
    _transfer(100_000, payer=payer, asset="EUR")
    _new(
        signed_in("fina", "finance"), code="house", fixed="", basis_points="50", maximum="20.00", vat_basis_points="700"
    )
    rule = FeeRule.objects.get(state="draft")
    found = rule_trials.try_fee(rule, now=clock.now())
    assert [
        (line.payment.amount.minor, line.payment.charged.minor, line.before, line.after, line.difference)
        for line in found.lines
    ] == [
        (1_000_000, 300, Money(535, "THB"), Money(2_140, "THB"), Money(1_605, "THB")),
        (20_000, 300, Money(535, "THB"), Money(107, "THB"), Money(-428, "THB")),
        (100_000, 300, Money(535, "THB"), Money(535, "THB"), Money(0, "THB")),
    ]
    assert (found.before.minor, found.after.minor, found.difference.minor, found.changed) == (1_605, 2_782, 1_177, 2)
    page = _page(signed_in("audi", "auditor"), rule, "?try=1")
    assert "2 of the last 3 payments change" in page
    assert '<strong id="difference">+11.77 THB</strong>' in page
    assert "-4.28 THB" in page


def test_a_dry_run_looks_at_the_last_hundred_and_counts_what_would_be_refused() -> None:
    payer = wallet(assets=["THB"])
    for n in range(102):
        _transfer(1_000 + n, payer=payer)
    found = _try(fee(asset="THB", fixed_minor=1_003))
    assert isinstance(found, FeeTrial)
    assert (len(found.lines), found.lines[0].payment.amount.minor) == (100, 1_101)
    assert (found.refused, found.lines[-1].refused, found.lines[-1].payment.amount.minor) == (
        2,
        "fees_exceed_amount",
        1_002,
    )
    assert found.difference.minor == 98 * 1_003


def test_a_dry_run_of_a_broken_condition_refuses_and_alarms_nobody() -> None:
    payer = wallet(assets=["THB"])
    _transfer(500, payer=payer)
    found = _try(fee(asset="THB", condition="1 / (amount_minor - 500) > 0"))
    assert isinstance(found, FeeTrial)
    assert (found.refused, found.lines[0].refused) == (1, "fee_rule_failed")
    assert not RuleFailure.objects.exists()


def test_a_dry_run_of_a_quotes_fee_takes_quotes(desk: Desk) -> None:
    desk.quote("100.00")
    found = _try(
        fee("platform_fee", "buy", fixed_minor=20, basis_points=100, vat_basis_points=1_900), "platform_fee-buy-eur"
    )
    assert isinstance(found, FeeTrial)
    (line,) = found.lines
    assert (line.payment.charged.minor, line.before, line.after) == (83, Money(83, "EUR"), Money(143, "EUR"))


def test_a_dry_run_of_a_limit_says_who_would_be_refused() -> None:
    owner = operator(zone="Asia/Bangkok")
    alice, bob = wallet("alice", owner=owner, assets=["THB"]), wallet("bob", owner=owner, assets=["THB"])
    in_force(limit("daily", asset="THB", cap_minor=10_000), code="daily")
    late = datetime(2026, 11, 26, 16, 59, tzinfo=UTC)
    for minor, payer, at in (
        (6_000, alice, late - timedelta(hours=2)),
        (3_000, alice, late - timedelta(hours=1)),
        (4_000, bob, late),
        (5_000, alice, late + timedelta(minutes=2)),  # tomorrow in Bangkok
    ):
        _transfer(minor, payer=payer, at=at)
    found = _try(limit("daily", asset="THB", cap_minor=8_000), "daily")
    assert isinstance(found, LimitTrial)
    assert [(line.payment.amount.minor, line.before, line.after, line.used.minor) for line in found.lines] == [
        (5_000, True, True, 5_000),
        (4_000, True, True, 4_000),
        (3_000, True, False, 6_000),
        (6_000, True, True, 6_000),
    ]
    assert (found.refused, found.allowed, found.changed) == (Money(3_000, "THB"), Money(0, "THB"), 1)


def test_a_condition_that_failed_stands_in_red_on_the_page(signed_in: SignIn) -> None:
    rule = in_force(fee(asset="THB", condition="1 / amount_minor > 1"), code="broken")
    with pytest.raises(ConditionFailed):
        pricing.price(
            environment="test", operator_id=operator().pk, flow="transfer", channel="internal",
            amount=Money(0, "THB"), facts={}, now=clock.now(),
        )  # fmt: skip
    page = signed_in("olga", "ops").get(reverse("admin:rules") + "?environment=test").content.decode()
    assert 'id="failures"' in page
    assert rule.reference in page
    assert Operator.objects.count() == 1


def test_pages_of_what_there_is_not_are_not_found(signed_in: SignIn) -> None:
    client = signed_in("fina", "finance")
    nobody = "fee_" + "0" * 26
    assert client.get(reverse("admin:rule", args=[nobody])).status_code == 404
    assert client.get(reverse("admin:rule-new", args=["prod", "fee"])).status_code == 404
    assert client.get(reverse("admin:rule-new", args=["test", "tax"])).status_code == 404
    assert client.get(reverse("admin:rule-new", args=["test", "fee"]) + f"?after={nobody}").status_code == 404
    assert client.post(reverse("admin:rule-act", args=[nobody, "melt"])).status_code == 404
    assert client.get(reverse("admin:rule-act", args=[nobody, "approve"])).status_code == 405
