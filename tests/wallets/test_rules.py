"""Rules as two people change them: drafted, edited, proposed, approved, refused, taken away; and what nobody changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from ledger.controls import clock
from ledger.controls.approvals import OutdatedProposal, SelfApproval
from ledger.controls.refusals import Malformed, NotFound, Refusal
from ledger.environments import Environment
from ledger.models import Approval, Move
from ledger.money import Money
from tests.wallets.people import operator
from tests.wallets.rules import CHECKER, MAKER, fee, in_force, limit
from wallets import pricing, rules
from wallets.conditions import ConditionRefused
from wallets.models import FeeRule, LimitRule
from wallets.rule_terms import FeeTerms, LimitTerms, Terms, Tier
from wallets.rules import AnyRule

pytestmark = pytest.mark.usefixtures("database")


def _draft(terms: Terms | None = None, code: str = "house") -> AnyRule:
    return rules.draft(
        environment=Environment.TEST,
        code=code,
        terms=terms or fee(fixed_minor=100),
        note="a new contract",
        actor=MAKER,
        now=clock.now(),
    )


def _do(act: Callable[..., AnyRule], rule: AnyRule, actor: str = MAKER, word: str = "note") -> AnyRule:
    given = {"reference": rule.reference, word: "because", "actor": actor, "now": clock.now()}
    return act(**given)


def _propose(rule: AnyRule, actor: str = MAKER) -> AnyRule:
    return _do(rules.propose, rule, actor)


def _approve(rule: AnyRule, actor: str = CHECKER) -> AnyRule:
    return _do(rules.approve, rule, actor, "reason")


def _charged(minor: int = 10_000) -> int:
    priced = pricing.price(
        environment=Environment.TEST,
        operator_id=operator().pk,
        flow="transfer",
        channel="internal",
        amount=Money(minor, "EUR"),
        facts={},
        now=clock.now(),
    )
    return priced.fee.minor


def test_a_rule_prices_from_the_moment_that_a_second_person_approves_it() -> None:
    """Changes take effect immediately without a deployment."""
    rule = _draft()
    assert (rule.state, rule.number, rule.reference[:4], _charged()) == ("draft", 1, "fee_", 0)
    _propose(rule)
    assert _charged() == 0
    _approve(rule)
    assert _charged() == 100
    second = _approve(_propose(_draft(fee(fixed_minor=70))))
    assert (second.number, _charged()) == (2, 70)
    before = FeeRule.objects.get(number=1)
    assert (before.state, before.retired_at is not None) == ("retired", True)
    moves = [
        (move.from_state, move.to_state, move.actor)
        for move in Move.objects.filter(subject=second.reference).order_by("sequence")
    ]
    assert moves == [("", "draft", MAKER), ("draft", "proposed", MAKER), ("proposed", "active", CHECKER)]


def test_nobody_approves_what_they_proposed() -> None:
    rule = _propose(_draft())
    with pytest.raises(SelfApproval):
        _approve(rule, MAKER)
    assert (rules.named(rule.reference).state, _charged()) == ("proposed", 0)
    assert Approval.objects.get().decision == "proposed"


@pytest.mark.parametrize("writer", ["drafted it", "changed it last"])
def test_nobody_approves_what_they_wrote_though_another_proposed_it(writer: str) -> None:
    rule = _draft()
    rules.edit(reference=rule.reference, terms=fee(fixed_minor=9_000), note="more", actor=CHECKER, now=clock.now())
    edited = FeeRule.objects.get()
    assert (edited.made_by, edited.edited_by) == (MAKER, CHECKER)
    _propose(rule, "user:third")
    with pytest.raises(SelfApproval):
        _approve(rule, MAKER if writer == "drafted it" else CHECKER)
    assert (rules.named(rule.reference).state, _charged()) == ("proposed", 0)
    assert _approve(rule, "user:fourth").state == "active"


def test_a_draft_is_changed_and_a_proposal_is_not() -> None:
    rule = _draft()
    changed: dict[str, Any] = {"terms": fee(fixed_minor=55), "note": "less", "actor": MAKER, "now": clock.now()}
    rules.edit(reference=rule.reference, **changed)
    _propose(rule)
    with pytest.raises(rules.NotADraft):
        rules.edit(reference=rule.reference, **{**changed, "terms": fee(fixed_minor=1)})
    _approve(rule)
    assert _charged() == 55
    with pytest.raises(Malformed):
        rules.edit(reference=_draft().reference, **{**changed, "terms": limit()})


def test_a_refused_proposal_is_a_draft_again_and_a_maker_withdraws() -> None:
    rule = _propose(_draft())
    assert _do(rules.refuse, rule, CHECKER, "reason").state == "draft"
    _propose(rule)
    assert _do(rules.refuse, rule, MAKER, "reason").state == "draft"
    assert list(Approval.objects.order_by("id").values_list("decision", flat=True)) == ["refused", "withdrawn"]
    with pytest.raises(rules.NotAProposal):
        _approve(rule)
    assert _charged() == 0


def test_a_rule_is_taken_away_by_two_people() -> None:
    rule = _approve(_propose(_draft()))
    _do(rules.propose_retirement, rule)
    with pytest.raises(rules.AlreadyProposed):
        _do(rules.propose_retirement, rule)
    with pytest.raises(SelfApproval):
        _approve(rule, MAKER)
    assert _charged() == 100
    assert _approve(rule).state == "retired"
    assert _charged() == 0
    with pytest.raises(rules.NotActive):
        _do(rules.propose_retirement, rule)


def test_a_rule_that_somebody_keeps_stays() -> None:
    rule = _approve(_propose(_draft()))
    _do(rules.propose_retirement, rule)
    assert _do(rules.refuse, rule, CHECKER, "reason").state == "active"
    assert _charged() == 100


def test_a_proposal_to_take_away_ends_when_the_rule_is_replaced() -> None:
    rule = _approve(_propose(_draft()))
    _do(rules.propose_retirement, rule)
    _approve(_propose(_draft(fee(fixed_minor=70))))
    assert not Approval.objects.filter(decision="proposed").exists()
    assert _charged() == 70


def test_a_proposal_is_bound_to_the_version_that_it_decides(superuser_connection: psycopg.Connection[Any]) -> None:
    rule = _propose(_draft())
    superuser_connection.execute(
        "UPDATE wallets_feerule SET version = version + 1 WHERE reference = %s", [rule.reference]
    )
    with pytest.raises(OutdatedProposal):
        _approve(rule)


def test_two_proposals_of_one_rule_stand_one_after_the_other(run_threads: Callable[..., Any]) -> None:
    first, second = _propose(_draft(fee(fixed_minor=1))), _propose(_draft(fee(fixed_minor=2)))
    ends = run_threads(lambda: _approve(first).state, lambda: _approve(second).state)
    assert list(ends) == ["active", "active"]
    assert sorted(FeeRule.objects.values_list("state", flat=True)) == ["active", "retired"]


def test_live_rules_are_not_the_test_environments() -> None:
    rules.draft(environment="live", code="house", terms=fee(), note="", actor=MAKER, now=clock.now())
    assert _draft().number == 1


_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

MALFORMED: list[tuple[str, Terms, str]] = [
    ("no name", fee(""), "name"),
    ("a name in capitals", fee("Fee"), "name"),
    ("an unknown flow", fee(flow="gift"), "flow"),
    ("an unknown channel", fee(channel="pigeon"), "channel"),
    ("an unknown asset", fee(asset="XXX"), "asset"),
    ("an unknown operator", fee(operator_id=999), "operator_id"),
    ("an unknown phase", fee(phase="MID"), "phase"),
    ("on top of a buy", fee(flow="buy", phase="PRE"), "phase"),
    ("on top of a pay-in", fee(flow="payin", phase="PRE"), "phase"),
    ("less than nothing", fee(fixed_minor=-1), "fixed_minor"),
    ("more than any amount", fee(fixed_minor=2**128), "fixed_minor"),
    ("more than all of it", fee(basis_points=10_001), "basis_points"),
    ("VAT beyond the fee", fee(vat_basis_points=10_001), "vat_basis_points"),
    ("a maximum below the minimum", fee(minimum_minor=2, maximum_minor=1), "maximum_minor"),
    ("an end before its beginning", fee(valid_from=_NOON, valid_until=_NOON), "valid_until"),
    ("a priority beyond the last", fee(priority=10_000), "priority"),
    ("tiers and a fixed fee", fee(fixed_minor=1, tiers=(Tier(None, 1, 0),)), "tiers"),
    ("tiers without a last", fee(tiers=(Tier(10, 1, 0),)), "tiers"),
    ("a last tier in the middle", fee(tiers=(Tier(None, 1, 0), Tier(10, 1, 0), Tier(None, 1, 0))), "tiers"),
    ("tiers that go back", fee(tiers=(Tier(10, 1, 0), Tier(10, 1, 0), Tier(None, 1, 0))), "tiers"),
    ("a tier up to nothing", fee(tiers=(Tier(0, 1, 0), Tier(None, 1, 0))), "tiers"),
    ("a tier of less than nothing", fee(tiers=(Tier(None, -1, 0),)), "tiers"),
    ("too many tiers", fee(tiers=(*(Tier(n, 1, 0) for n in range(1, 21)), Tier(None, 1, 0))), "tiers"),
    ("a limit of nobody", limit(scope="house"), "scope"),
    ("a limit of a year", limit(period="year"), "period"),
    ("a cap below nothing", limit(cap_minor=-1), "cap_minor"),
    ("a limit of buys", limit(flow="buy"), "flow"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "terms", "field"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_a_malformed_rule_is_not_written_down(case: str, terms: Terms, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        _draft(terms)
    assert field in caught.value.errors
    assert (FeeRule.objects.count(), LimitRule.objects.count()) == (0, 0)


@pytest.mark.parametrize("code", ["", "A", "a b", "-a", "a" * 61, "a/b"])
def test_a_malformed_code_is_refused(code: str) -> None:
    with pytest.raises(Malformed):
        _draft(code=code)


def test_a_condition_beyond_the_bounds_is_not_written_down() -> None:
    with pytest.raises(ConditionRefused):
        _draft(fee(condition="[1].all(x, x > 0)"))
    assert FeeRule.objects.count() == 0


def test_a_rule_that_there_is_not_is_not_found() -> None:
    nobody = FeeRule(reference="fee_" + "0" * 26)
    acts: list[Callable[[], AnyRule]] = [
        lambda: _propose(nobody),
        lambda: _approve(nobody),
        lambda: _do(rules.refuse, nobody, CHECKER, "reason"),
        lambda: _do(rules.propose_retirement, nobody),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize("state", ["proposed", "active", "retired"])
@pytest.mark.parametrize("machine", ["fee_rule", "limit_rule"])
def test_raw_sql_cannot_change_what_a_version_says(
    machine: str, state: str, application_connection: psycopg.Connection[Any]
) -> None:
    terms: FeeTerms | LimitTerms = fee(fixed_minor=100) if machine == "fee_rule" else limit()
    rule = _propose(_draft(terms))
    if state != "proposed":
        _approve(rule)
    if state == "retired":
        _approve(_do(rules.propose_retirement, rule))
    said = {"name": "x", "priority": 1, "valid_until": "2030-01-01", "operator_id": 7, "note": "x", "made_by": "x"}
    said |= {"edited_by": "x"}
    said |= {"code": "x", "number": 9, "reference": "x", "environment": "live", "asset": "USD", "channel": "promptpay"}
    said |= (
        {"fixed_minor": 1, "basis_points": 1, "phase": "PRE", "condition": "true", "tiers": "[1]", "maximum_minor": 1}
        if machine == "fee_rule"
        else {"cap_minor": 1, "scope": "operator", "period": "transaction"}
    )
    table = sql.Identifier(type(rule)._meta.db_table)
    for column, value in said.items():
        change = sql.SQL("UPDATE {} SET {} = %s WHERE id = %s").format(table, sql.Identifier(column))
        with pytest.raises(psycopg.errors.RestrictViolation):
            application_connection.execute(change, [value, rule.pk])
    application_connection.execute(
        sql.SQL("UPDATE {} SET updated_at = updated_at WHERE id = %s").format(table), [rule.pk]
    )


def test_what_comes_with_a_release_is_installed_once() -> None:
    for minor in (5, 9):
        rules.install(environment=Environment.TEST, code="house", terms=fee(fixed_minor=minor), now=clock.now())
    assert (FeeRule.objects.count(), _charged()) == (1, 5)
    in_force(replace(fee(), fixed_minor=8), code="house")
    rules.install(environment=Environment.TEST, code="house", terms=fee(fixed_minor=9), now=clock.now())
    assert _charged() == 8


@pytest.mark.parametrize("act", [rules.propose, rules.propose_retirement])
def test_a_proposal_needs_a_reason(act: Callable[..., AnyRule]) -> None:
    rule = _draft()
    with pytest.raises(Refusal):
        act(reference=rule.reference, note=" ", actor=MAKER, now=clock.now())
    assert Approval.objects.count() == 0


_LATER: Final = datetime(2030, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2031, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stands", "comes"),
    [
        ({}, {"valid_from": _LATER}),
        ({}, {"valid_until": _LATER}),
        ({"valid_until": _LATEST}, {"valid_until": _LATER}),
        ({"valid_from": _LATER}, {"valid_from": _LATEST}),
    ],
)
@pytest.mark.parametrize("terms", [fee, limit])
def test_a_version_that_would_leave_a_gap_replaces_nothing(
    terms: Callable[..., Terms], stands: dict[str, datetime], comes: dict[str, datetime]
) -> None:
    standing = in_force(terms("send", **stands), code="send")
    draft = _draft(terms("send", **comes), code="send")
    with pytest.raises(rules.LeavesAGap, match="a code of its own with the name 'send'"):
        _propose(draft)
    assert (rules.named(standing.reference).state, rules.named(draft.reference).state) == ("active", "draft")


def test_a_gap_that_came_about_after_the_proposal_is_refused_when_it_is_approved() -> None:
    draft = _draft(fee("send", valid_from=_LATER), code="send")
    _propose(draft)
    standing = in_force(fee("send", fixed_minor=5), code="send")
    with pytest.raises(rules.LeavesAGap):
        _approve(draft)
    assert (rules.named(standing.reference).state, rules.named(draft.reference).state) == ("active", "proposed")


@pytest.mark.parametrize(
    ("stands", "comes"),
    [
        ({}, {"valid_from": datetime(2020, 1, 1, tzinfo=UTC)}),
        ({"valid_until": datetime(2020, 1, 1, tzinfo=UTC)}, {"valid_from": _LATER}),
        ({"valid_until": _LATER}, {"valid_until": _LATEST}),
        ({"valid_from": _LATER}, {"valid_from": _LATER}),
    ],
)
def test_a_version_that_holds_whenever_the_standing_one_would_replaces_it(
    stands: dict[str, Any], comes: dict[str, Any]
) -> None:
    standing = in_force(fee("send", **stands), code="send")
    in_force(fee("send", **comes), code="send")
    assert rules.named(standing.reference).state == "retired"


def test_a_price_for_a_time_stands_before_the_lasting_one_and_leaves_it_afterwards() -> None:
    in_force(fee("send", fixed_minor=500), code="send")
    in_force(fee("send", fixed_minor=700, priority=50, valid_from=_LATER, valid_until=_LATEST), code="send-2030")
    charged = []
    for now in (clock.now(), _LATER, _LATEST):
        with clock.use(clock.FixedClock(now)):
            charged.append(_charged())
    assert charged == [500, 700, 500]
