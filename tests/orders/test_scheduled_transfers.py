"""Scheduled transfers: they wait; fees, limits and funds are taken when due; two transactions; an unposted hold expires."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import transaction as db_transaction

from ledger import accounts, expiry, journal, verify
from ledger.controls import drains
from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import NotFound
from ledger.models import Event
from orders import stale
from orders.locks import IntentFrozen
from orders.models import Intent, SagaRun, StaleFinding
from orders.operations.drive_stale import drive_stale
from orders.operations.freeze_order import freeze_intent, lift_intent_freeze
from orders.operations.schedule_transfer import NotInTheFuture
from orders.sagas import transfer
from orders.transfers import terms
from orders.transfers.parties import SameWallet
from tests.orders import books
from tests.orders.till import Till, balance_of, history, open_till, standing
from tests.wallets.rules import fee, in_force, limit
from wallets import holders
from wallets.models import LimitUsage

pytestmark = pytest.mark.usefixtures("database")


def _reloaded(intent: Intent) -> Intent:
    return Intent.objects.get(reference=intent.reference)


def _authorized(till: Till) -> Intent:
    """Schedule ฿1,000 with a fee on top, and take its first transaction alone: funds held, nobody posts."""
    in_force(fee(asset="THB", phase="PRE", fixed_minor=500))
    in_force(limit("daily", asset="THB", cap_minor=150_000))
    intent = till.schedule(till.wallet("alice", funds=1_000_000), till.wallet("bob"), "1000.00")
    till.later(hours=1)
    transfer.advance(intent)
    intent = _reloaded(intent)
    assert (intent.state, intent.requires_monitoring) == ("authorized", True)
    return intent


def test_a_scheduled_transfer_waits_in_created_and_takes_nothing_until_it_is_due(till: Till) -> None:
    in_force(limit("daily", asset="THB", cap_minor=150_000))
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    before = books.balances()
    intent = till.schedule(alice, bob, "1000.00")
    till.drive()
    till.later(minutes=59)
    till.drive()
    waiting = _reloaded(intent)
    assert (waiting.state, waiting.requires_monitoring, waiting.debit_minor) == ("created", False, None)
    assert books.balances() == before
    assert LimitUsage.objects.count() == 0

    in_force(fee(asset="THB", phase="PRE", fixed_minor=500))  # the fees of then, not of now
    till.later(minutes=1)
    till.drive()
    done = _reloaded(intent)
    assert (done.state, int(done.debit_minor or 0)) == ("settled", 100_500)
    assert (balance_of(alice).posted, balance_of(bob).posted) == (899_500, 100_000)
    assert books.path(intent.reference) == ["created", "validated", "authorized", "settled"]
    assert history(alice) == [("transfer_hold", -100_500, 1_000_000, 100_500), ("transfer_out", -100_500, 899_500, 0)]
    assert history(bob) == [("transfer_in", 100_000, 100_000, 0)]
    assert SagaRun.objects.count() == 0
    last = Event.objects.filter(aggregate=intent.reference).latest("sequence")
    assert (last.topic, last.payload["reference_number"]) == ("intent.SETTLED", done.reference_number)
    assert done.reference_number


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("funds are gone by then", "insufficient_funds"),
        ("the limit is used by then", "limit_exceeded"),
        ("the payer is frozen by then", "wallet_frozen"),
        ("the payee is closed by then", "wallet_closed"),
        ("the fees are as large by then", "fees_exceed_amount"),
    ],
)
def test_it_fails_with_nothing_taken_when_it_is_refused_when_due(case: str, reason: str, till: Till) -> None:
    alice, bob, carol = till.wallet("alice", funds=1_000_000), till.wallet("bob"), till.wallet("carol")
    in_force(limit("daily", asset="THB", cap_minor=1_050_000))
    intent = till.schedule(alice, bob, "1000.00")
    till.later(hours=1)
    now = till.clock.now()
    match reason:
        case "insufficient_funds":
            till.pay(alice, carol, "9500.00")
        case "limit_exceeded":
            till.pay(alice, carol, "9500.01")
            till.pay(carol, alice, "9500.01")
        case "wallet_frozen":
            with db_transaction.atomic():
                holders.freeze_wallet(reference=alice.reference, reason="fraud?", actor="user:o", now=now)
        case "wallet_closed":
            with db_transaction.atomic():
                holders.close_wallet(reference=bob.reference, actor="user:o", now=now)
        case _:
            in_force(fee(asset="THB", phase="POST", fixed_minor=100_000))
    balances, used = books.balances(), {row.pk: row.used_minor for row in LimitUsage.objects.all()}
    till.drive()
    failed = _reloaded(intent)
    assert (failed.state, failed.status_reason) == ("failed", reason), case
    assert books.balances() == balances
    assert {row.pk: row.used_minor for row in LimitUsage.objects.all() if row.used_minor or row.pk in used} == used
    assert books.path(intent.reference) == ["created", "failed"]
    assert SagaRun.objects.count() == 0


def test_a_scheduled_transfer_is_taken_back_until_it_is_due_and_never_after(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    intent = till.schedule(alice, bob, "1000.00")
    with pytest.raises(NotFound):
        open_till(till.clock, slug="rival").cancel(intent)
    assert till.cancel(intent).state == "cancelled"
    assert till.cancel(intent).state == "cancelled"
    assert SagaRun.objects.count() == 0
    till.later(hours=2)
    till.drive()
    assert _reloaded(intent).state == "cancelled", "terminal: never changes"
    assert balance_of(alice).available == 1_000_000, "the funds never left"
    second = till.schedule(alice, bob, "1.00")
    till.later(hours=2)
    till.drive()
    with pytest.raises(IllegalMove):
        till.cancel(second)
    with pytest.raises(IllegalMove):
        till.cancel(till.pay(alice, bob, "1.00"))


@pytest.mark.parametrize("pause", [timedelta(0), timedelta(seconds=-1), timedelta(days=367)])
def test_it_is_refused_when_it_is_not_in_the_future(pause: timedelta, till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    with pytest.raises(NotInTheFuture):
        till.schedule(alice, bob, "1.00", at=till.clock.now() + pause)
    with pytest.raises(SameWallet):
        till.schedule(alice, alice, "1.00")
    assert Intent.objects.count() == 0


def test_funds_return_when_the_hold_expires_after_300_s(till: Till) -> None:
    """OneWallet: after TB pending, before PG commit, internal channels: TB pending expires (300s), funds auto-return."""
    intent = _authorized(till)
    payer = intent.terms["accounts"]["payer"]
    assert standing(payer) == (1_000_000, 100_500, 0)
    till.later(seconds=301)
    expiry.expire()
    assert standing(payer) == (1_000_000, 0, 0), "the funds are back"
    assert standing(accounts.TRANSFER_TRANSIT) == (0, 0, 0)
    till.drive()
    failed = _reloaded(intent)
    assert (failed.state, failed.status_reason, failed.requires_monitoring) == ("failed", "hold_expired", False)
    assert [int(row.used_minor) for row in LimitUsage.objects.all()] == [0], "the limit has it back"
    assert history(till.wallet("alice"))[-1] == ("transfer_release", 100_500, 1_000_000, 0)
    assert [verdict for verdict in verify.verify() if verdict.breaks] == []


def test_it_fails_with_its_funds_back_when_the_sweep_has_not_come_yet(till: Till) -> None:
    intent = _authorized(till)
    till.later(seconds=300)
    till.drive()
    assert _reloaded(intent).status_reason == "hold_expired"
    assert standing(intent.terms["accounts"]["payer"]) == (1_000_000, 0, 0)


def test_it_settles_in_the_last_second_of_its_hold(till: Till) -> None:
    intent = _authorized(till)
    till.later(seconds=299)
    till.drive()
    assert _reloaded(intent).state == "settled"


def test_the_limit_gets_it_back_on_the_day_that_it_was_taken(till: Till) -> None:
    intent = _authorized(till)
    till.later(hours=20)  # the next day
    in_force(limit("daily", asset="THB", cap_minor=150_000))
    till.pay(till.wallet("alice"), till.wallet("bob"), "10.00")
    till.drive()
    assert _reloaded(intent).state == "failed"
    used = {row.day.isoformat(): int(row.used_minor) for row in LimitUsage.objects.all()}
    assert used == {"2026-03-14": 0, "2026-03-15": 1_000}


def test_posted_already_is_success(till: Till) -> None:
    """OneWallet: after PG commit, before TB post: the worker retries, TB returns already_posted, not an error."""
    intent = _authorized(till)
    with db_transaction.atomic():  # the worker posted, and died before it said so
        journal.post_all(environment="test", drafts=[terms.settlement(intent)], now=till.clock.now())
    before = books.balances()
    till.drive()
    assert _reloaded(intent).state == "settled"
    assert books.balances() == before, "posted once"
    assert history(till.wallet("bob")) == [("transfer_in", 100_000, 100_000, 0)]


def test_posted_under_another_key_is_success_too(till: Till) -> None:
    intent = _authorized(till)
    with db_transaction.atomic():
        by_hand = replace(terms.settlement(intent), key="by hand")
        journal.post_all(environment="test", drafts=[by_hand], now=till.clock.now())
    till.drive()
    assert _reloaded(intent).state == "settled"
    assert balance_of(till.wallet("bob")).posted == 100_000


def test_it_fails_when_its_hold_was_voided_by_hand(till: Till) -> None:
    intent = _authorized(till)
    with db_transaction.atomic():
        journal.post_all(environment="test", drafts=[terms.release(intent)], now=till.clock.now())
    till.drive()
    assert (_reloaded(intent).state, _reloaded(intent).status_reason) == ("failed", "hold_released")
    assert balance_of(till.wallet("alice")).available == 1_000_000


def test_a_frozen_intent_takes_no_step_until_it_is_lifted(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    intent = till.schedule(alice, bob, "1000.00")
    with db_transaction.atomic():
        freeze_intent(intent_reference=intent.reference, reason="a tip", actor="user:o", now=till.clock.now())
    till.later(hours=2)
    till.drive()
    assert _reloaded(intent).state == "created"
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=intent.reference, actor="user:lee", now=till.clock.now())
    till.drive()
    assert _reloaded(intent).state == "settled"


def test_a_frozen_intent_is_not_taken_back_until_it_is_lifted(till: Till) -> None:
    intent = till.schedule(till.wallet("alice", funds=1_000_000), till.wallet("bob"), "1000.00")
    with db_transaction.atomic():
        freeze_intent(intent_reference=intent.reference, reason="a tip", actor="user:o", now=till.clock.now())
    with pytest.raises(IntentFrozen):
        till.cancel(intent)
    with pytest.raises(NotFound):
        open_till(till.clock, slug="rival").cancel(intent)
    assert (_reloaded(intent).state, SagaRun.objects.count()) == ("created", 1)
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=intent.reference, actor="user:lee", now=till.clock.now())
    assert till.cancel(intent).state == "cancelled"


@pytest.mark.parametrize("state", ["created", "authorized"])
def test_the_status_poller_finds_one_that_nobody_drives_and_it_ends(
    state: str, till: Till, superuser_connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    if state == "authorized":
        intent = _authorized(till)
    else:
        intent = till.schedule(till.wallet("alice", funds=1_000_000), till.wallet("bob"), "1000.00")
        till.later(hours=1)
    superuser_connection.execute("DELETE FROM orders_sagarun")
    assert drive_stale() == 0, "too early: a step may be about to leave one"
    till.later(seconds=31)
    assert [(one.kind, one.state, one.owner) for one in stale.found(now=till.clock.now())] == [
        ("intent", state, intent.reference)
    ]
    drains.drain("stale")
    assert StaleFinding.objects.get().done == "its saga has a work row again"
    till.drive()
    assert _reloaded(intent).state == "settled"


def test_the_poller_leaves_one_alone_that_is_due_next_month(
    till: Till, superuser_connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    at = till.clock.now() + timedelta(days=30)
    till.schedule(till.wallet("alice", funds=1_000_000), till.wallet("bob"), "1.00", at=at)
    till.later(days=29)
    assert drive_stale() == 0
    superuser_connection.execute("DELETE FROM orders_sagarun")
    assert drive_stale() == 0
    till.later(days=2)
    assert drive_stale() == 1
