"""Limits of many payments in one transaction: what each would get if they came one after the other, and at once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from ledger.money import Money
from tests.wallets.people import operator, wallet
from tests.wallets.rules import in_force, limit
from wallets import limits, standing_rules
from wallets.limits import LimitExceeded, Usage
from wallets.limits_of_lists import Taking, take_each
from wallets.models import LimitUsage, Wallet

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)


def _take(*takings: tuple[Wallet, int]) -> list[tuple[Usage, ...] | Refusal]:
    owner = takings[0][0].operator_id
    with db_transaction.atomic():
        return take_each(
            environment=Environment.TEST,
            operator_id=owner,
            flow="transfer",
            channel="internal",
            takings=[Taking(found.reference, Money(minor, "EUR")) for found, minor in takings],
            standing=standing_rules.standing(environment=Environment.TEST, operator_id=owner),
            now=NOW,
        )


def _ends(results: Sequence[tuple[Usage, ...] | Refusal]) -> list[str]:
    return [str(one.fields["limit"]) if isinstance(one, LimitExceeded) else "taken" for one in results]


def _used() -> dict[str, int]:
    return {row.wallet or "operator": int(row.used_minor) for row in LimitUsage.objects.all()}


def test_one_that_is_above_a_cap_takes_nothing_and_the_next_is_looked_at_without_it() -> None:
    in_force(limit("single", period="transaction", cap_minor=7_000))
    in_force(limit("daily", cap_minor=10_000))
    in_force(limit("whole", scope="operator", cap_minor=15_000))
    alice, bob = wallet("alice"), wallet("bob")
    results = _take((alice, 6_000), (alice, 7_001), (alice, 4_001), (bob, 6_000), (alice, 4_000), (bob, 3_000))
    assert _ends(results) == ["taken", "single", "daily", "taken", "whole", "taken"]
    assert _used() == {alice.reference: 6_000, bob.reference: 9_000, "operator": 15_000}


@pytest.mark.parametrize("before", [0, 4_000])
def test_a_single_one_decides_as_the_plain_way_does(before: int) -> None:
    """Its counters are there or not; both ways take and refuse the same, and say the same."""
    in_force(limit("single", period="transaction", cap_minor=7_000))
    in_force(limit("daily", cap_minor=10_000))
    in_force(limit("whole", scope="operator", cap_minor=11_000))
    alice, bob = wallet("alice"), wallet("bob")
    if before:
        _take((alice, before))
    (taken,) = _take((alice, 6_000))
    assert isinstance(taken, tuple)
    assert [(one.name, one.taken.minor, one.counter is not None) for one in taken] == [
        ("daily", 6_000, True), ("single", 6_000, False), ("whole", 6_000, True),
    ]  # fmt: skip
    for found, minor, which in (
        (alice, 7_001, "single"),
        (alice, 4_001 - before, "daily"),
        (bob, 5_001 - before, "whole"),
    ):
        used = _used()
        (refused,) = _take((found, minor))
        assert _ends([refused]) == [which]
        assert {name: value for name, value in _used().items() if value or name in used} == used
        with pytest.raises(LimitExceeded) as plain, db_transaction.atomic():
            limits.take(
                environment=Environment.TEST,
                operator_id=found.operator_id,
                wallet=found,
                flow="transfer",
                channel="internal",
                amount=Money(minor, "EUR"),
                now=NOW,
            )
        assert isinstance(refused, LimitExceeded)
        assert (plain.value.message, plain.value.fields) == (refused.message, refused.fields)
    limits.give_back([one.as_json() for one in taken])
    assert _used()["operator"] == before


def test_the_day_is_that_of_the_operators_zone() -> None:
    alice = wallet("alice")
    in_force(limit("daily", cap_minor=10_000))
    operator("acme", zone="Asia/Bangkok")
    _take((alice, 1))
    assert LimitUsage.objects.get().day.isoformat() == "2026-11-28"
    operator("acme", zone="UTC")
    _take((alice, 2))
    assert sorted(row.day.isoformat() for row in LimitUsage.objects.all()) == ["2026-11-27", "2026-11-28"]


def test_a_rule_counts_from_the_moment_it_is_active_and_not_beyond() -> None:
    alice = wallet("alice")
    assert _ends(_take((alice, 10_000))) == ["taken"]
    in_force(limit("daily", cap_minor=100))
    assert _ends(_take((alice, 101))) == ["daily"]
    in_force(limit("daily", cap_minor=200))
    assert _ends(_take((alice, 101))) == ["taken"]


def test_exactly_the_cap_passes_when_single_ones_and_lists_come_at_once(
    run_threads: Callable[..., Sequence[Any]],
) -> None:
    in_force(limit("daily", cap_minor=1_000))
    in_force(limit("whole", scope="operator", cap_minor=1_500))
    alice, bob = wallet("alice"), wallet("bob")
    singles = [lambda: _take((alice, 100)) for _ in range(8)]
    lists = [lambda: _take((bob, 100), (alice, 100), (bob, 100)) for _ in range(6)]
    ends = run_threads(*singles, *lists, timeout=60)
    taken = [name for results in ends for name in _ends(results)]
    assert taken.count("taken") == 15, ends
    assert _used()["operator"] == 1_500
    assert _used()[alice.reference] <= 1_000
    assert _used()[bob.reference] <= 1_000
    assert _used()[alice.reference] + _used()[bob.reference] == 1_500
