"""Limits: exactly what a cap allows, one after the other and at once; given back to the day it was taken from."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.environments import Environment
from ledger.money import Money
from tests.wallets.people import operator, wallet
from tests.wallets.rules import in_force, limit
from wallets import limits
from wallets.limits import LimitExceeded, Usage
from wallets.models import LimitUsage, Wallet

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def _take(
    minor: int, *, of: Wallet | None = None, flow: str = "transfer", channel: str = "internal", now: datetime = NOW
) -> tuple[Usage, ...]:
    payer = of or wallet()
    with db_transaction.atomic():
        return limits.take(
            environment=Environment.TEST,
            operator_id=payer.operator_id,
            wallet=payer,
            flow=flow,
            channel=channel,
            amount=Money(minor, "EUR"),
            now=now,
        )


def _used() -> dict[tuple[str, str], int]:
    return {(row.wallet and "wallet", row.day.isoformat()): int(row.used_minor) for row in LimitUsage.objects.all()}


def test_a_payment_is_refused_when_it_is_above_the_cap_of_one() -> None:
    in_force(limit("single", period="transaction", cap_minor=5_000))
    (usage,) = _take(5_000)
    assert (usage.name, usage.rule, usage.version, usage.counter, usage.day) == ("single", "single", 1, None, None)
    with pytest.raises(LimitExceeded) as caught:
        _take(5_001)
    assert caught.value.fields == {
        "limit": "single", "scope": "wallet", "period": "transaction", "cap": "50.00", "left": "50.00", "asset": "EUR",
    }  # fmt: skip
    assert LimitUsage.objects.count() == 0


def test_a_day_is_used_up_to_the_cap_and_no_further() -> None:
    in_force(limit("daily", cap_minor=10_000))
    _take(6_000)
    with pytest.raises(LimitExceeded) as caught:
        _take(4_001)
    assert (caught.value.fields["limit"], caught.value.fields["left"]) == ("daily", "40.00")
    _take(4_000)
    assert _used() == {("wallet", "2026-11-27"): 10_000}


def test_each_wallet_has_its_own_day_and_the_operator_one_for_all() -> None:
    in_force(limit("daily", cap_minor=10_000))
    in_force(limit("whole", scope="operator", cap_minor=15_000))
    alice, bob = wallet("alice"), wallet("bob")
    _take(10_000, of=alice)
    with pytest.raises(LimitExceeded) as caught:
        _take(5_001, of=bob)
    assert caught.value.fields["scope"] == "operator"
    _take(5_000, of=bob)
    assert sorted((row.wallet, int(row.used_minor)) for row in LimitUsage.objects.all()) == sorted(
        [("", 15_000), (alice.reference, 10_000), (bob.reference, 5_000)]
    )


def test_nothing_is_taken_when_a_later_limit_refuses() -> None:
    in_force(limit("daily", cap_minor=10_000))
    in_force(limit("whole", scope="operator", cap_minor=1_000))
    with pytest.raises(LimitExceeded):
        _take(2_000)
    assert sum(_used().values()) == 0


def test_another_operators_and_another_channels_limit_is_none() -> None:
    in_force(limit("rivals", operator_id=operator("rival").pk, cap_minor=1))
    in_force(limit("promptpay", channel="promptpay", cap_minor=1))
    in_force(limit("payouts", flow="payout", cap_minor=1))
    assert _take(10_000) == ()
    with pytest.raises(LimitExceeded):
        _take(2, flow="payout", channel="bank_transfer")


def test_an_operators_own_cap_stands_instead_of_everybodys() -> None:
    in_force(limit("daily", cap_minor=1_000), code="everybody")
    in_force(limit("daily", cap_minor=9_000, operator_id=operator().pk), code="acme")
    assert [usage.rule for usage in _take(9_000)] == ["acme"]


def test_a_new_cap_counts_what_the_day_has_used_already() -> None:
    """Effective at once: the counter belongs to the limit, not to the version."""
    in_force(limit("daily", cap_minor=10_000))
    _take(8_000)
    in_force(limit("daily", cap_minor=9_000))
    with pytest.raises(LimitExceeded) as caught:
        _take(1_001)
    assert caught.value.fields["left"] == "10.00"
    assert [usage.version for usage in _take(1_000)] == [2]


def test_a_day_begins_at_midnight_of_the_operators_zone() -> None:
    owner = operator(zone="Asia/Bangkok")
    in_force(limit("daily", cap_minor=10_000))
    payer = wallet(owner=owner)
    _take(10_000, of=payer, now=datetime(2026, 11, 27, 16, 59, 59, tzinfo=UTC))
    _take(10_000, of=payer, now=datetime(2026, 11, 27, 17, tzinfo=UTC))
    assert _used() == {("wallet", "2026-11-27"): 10_000, ("wallet", "2026-11-28"): 10_000}


def test_what_failed_after_midnight_is_given_back_to_the_day_before() -> None:
    owner = operator(zone="Asia/Bangkok")
    in_force(limit("daily", cap_minor=10_000))
    payer = wallet(owner=owner)
    taken = _take(7_000, of=payer, now=datetime(2026, 11, 27, 16, 59, tzinfo=UTC))
    _take(2_000, of=payer, now=datetime(2026, 11, 27, 17, 1, tzinfo=UTC))
    with db_transaction.atomic():
        limits.give_back([usage.as_json() for usage in taken])
    assert _used() == {("wallet", "2026-11-27"): 0, ("wallet", "2026-11-28"): 2_000}


def test_giving_back_twice_is_a_defect_and_not_a_gift() -> None:
    in_force(limit("daily", cap_minor=10_000))
    taken = [usage.as_json() for usage in _take(7_000)]
    limits.give_back(taken)
    with pytest.raises(limits.NeverTaken), db_transaction.atomic():
        limits.give_back(taken)
    assert _used() == {("wallet", "2026-11-27"): 0}


@pytest.mark.parametrize("scope", ["wallet", "operator"])
def test_exactly_the_cap_passes_when_many_pay_at_once(scope: str, run_threads: Callable[..., Sequence[Any]]) -> None:
    """Twelve at once under a cap of five: five pass, whoever makes the day's counter."""
    in_force(limit("daily", scope=scope, cap_minor=5_000))
    in_force(limit("generous", scope="operator", cap_minor=1_000_000))
    payer = wallet()
    now = clock.now()
    ends = run_threads(*[lambda: _take(1_000, of=payer, now=now) for _ in range(12)])
    passed = [end for end in ends if not isinstance(end, BaseException)]
    refused = [end for end in ends if isinstance(end, LimitExceeded)]
    assert (len(passed), len(refused)) == (5, 7)
    assert sorted(int(row.used_minor) for row in LimitUsage.objects.all()) == [5_000, 5_000]


def test_a_limit_of_any_flow_counts_transfers_and_payouts_of_every_channel_together() -> None:
    """Consistent rules regardless of channel."""
    in_force(limit("daily", cap_minor=10_000))
    in_force(limit("payouts", flow="payout", cap_minor=10_000))
    _take(6_000, flow="transfer")
    _take(3_000, flow="payout", channel="promptpay")
    with pytest.raises(LimitExceeded) as caught:
        _take(1_001, flow="payout", channel="bank_transfer")
    assert (caught.value.fields["limit"], caught.value.fields["left"]) == ("daily", "10.00")
    assert {row.name: int(row.used_minor) for row in LimitUsage.objects.all()} == {"daily": 9_000, "payouts": 3_000}
