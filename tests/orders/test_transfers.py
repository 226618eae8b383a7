"""OneWallet, Pattern A, in its words: instant transfer, fee model, terminal states. One row per sentence."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import accounts, verify
from ledger.controls.moves import PeriodLocked
from ledger.controls.refusals import NotFound, Refusal
from ledger.models import Event, Move, Posting
from ledger.models.journal import Hold
from orders.models import Intent, WalletEntry
from orders.operations.transfer_now import DuplicatePartnerReference, InsufficientFunds, ListRefused
from orders.transfers.parties import SameWallet, lock_parties
from tests.orders import books
from tests.orders.till import Till, balance_of, history, open_till, standing
from tests.wallets import people
from tests.wallets.rules import fee, in_force, limit
from wallets import holders
from wallets.holders import AssetNotHeld, WalletClosed, WalletFrozen
from wallets.limits import LimitExceeded
from wallets.models import LimitUsage, Wallet
from wallets.pricing import FeesExceedAmount

pytestmark = pytest.mark.usefixtures("database")

_TABLES = ("orders_intent", "orders_walletentry", "wallets_limitusage", "ledger_key", "ledger_hold", "orders_sagarun")


def _rows() -> dict[str, Any]:
    """Everything that a refusal must leave as it was."""
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in _TABLES)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}, (SELECT coalesce(sum(used_minor), 0) FROM wallets_limitusage)")
        row = cursor.fetchone()
    assert row is not None
    return {"balances": books.balances(), **dict(zip((*_TABLES, "used"), row, strict=True))}


@dataclass(frozen=True)
class Model:
    """One row of the fee model, to the satang."""

    says: str
    fees: dict[str, Any]
    debit: int
    credit: int
    fee: int
    vat: int = 0
    lines: int = field(default=3)


FEE_MODEL = [
    Model("no fee: the recipient gets what was sent", {}, 100_000, 100_000, 0, lines=2),
    Model(
        "PRE fee (sender pays on top): user sends ฿1,000 → debit = ฿1,005 (฿5 fee added); recipient receives ฿1,000",
        {"phase": "PRE", "fixed_minor": 500},
        100_500, 100_000, 500,
    ),
    Model(
        "POST fee (recipient pays from amount): user sends ฿1,000 → debit = ฿1,000; recipient receives ฿950",
        {"phase": "POST", "fixed_minor": 5_000},
        100_000, 95_000, 5_000,
    ),
    Model(
        "PRE with VAT: one line more",
        {"phase": "PRE", "fixed_minor": 500, "vat_basis_points": 700},
        100_535, 100_000, 500, 35, lines=4,
    ),
    Model(
        "POST with VAT, basis points rounded half up",
        {"phase": "POST", "basis_points": 125, "vat_basis_points": 700},
        100_000, 98_662, 1_250, 88, lines=4,
    ),
]  # fmt: skip


@pytest.mark.parametrize("model", FEE_MODEL, ids=lambda model: model.says)
def test_fee_model(model: Model, till: Till) -> None:
    if model.fees:
        in_force(fee(asset="THB", **model.fees))
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    intent = till.pay(alice, bob, "1000.00")
    stored = Intent.objects.get(reference=intent.reference)
    assert (stored.state, stored.requires_monitoring, stored.terminal) == ("settled", False, True)
    figures = (stored.debit_minor, stored.credit_minor, stored.fee_minor, stored.vat_minor)
    assert tuple(int(figure or 0) for figure in figures) == (model.debit, model.credit, model.fee, model.vat)
    assert (balance_of(alice).posted, balance_of(bob).posted) == (1_000_000 - model.debit, model.credit)
    assert standing(accounts.TRANSFER_TRANSIT) == (0, 0, 0)
    assert standing(accounts.TRANSFER_REVENUE)[0] == model.fee
    assert standing(accounts.VAT_PAYABLE)[0] == model.vat
    lines = books.lines(subject=intent.reference)
    assert sum(count for line, count in lines.items() if line[1] == "pending") == model.lines
    assert sum(count for line, count in lines.items() if line[1] == "post") == model.lines
    rule = [(item["rule"], item["version"], item["phase"]) for item in stored.fee_items]
    assert rule == ([("fee", 1, model.fees["phase"])] if model.fees else []), "the versions that priced it"
    assert [verdict for verdict in verify.verify() if verdict.breaks] == []


def test_step_1_intent_created_is_the_anchor(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    first = till.pay(alice, bob, "10.00", partner_reference="shop-1")
    assert Move.objects.filter(subject=first.reference).order_by("sequence")[0].to_state == "created"
    before = _rows()
    with pytest.raises(DuplicatePartnerReference) as caught:
        till.pay(alice, bob, "10.00", partner_reference="shop-1")
    assert caught.value.fields["intent_id"] == first.reference
    assert _rows() == before


def test_step_2_validated_fees_calculated_and_daily_limits_checked(till: Till) -> None:
    in_force(fee("send", asset="THB", phase="PRE", fixed_minor=500))
    in_force(fee("receive", asset="THB", phase="POST", basis_points=100))
    in_force(limit("daily", asset="THB", cap_minor=150_000))
    in_force(limit("whole", asset="THB", scope="operator", cap_minor=500_000))
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    intent = till.pay(alice, bob, "1000.00")
    figures = [int(figure or 0) for figure in (intent.debit_minor, intent.credit_minor)]
    assert figures == [100_500, 99_000], "PRE added to the debit, POST deducted"
    assert {(usage["name"], usage["amount_minor"], usage["day"]) for usage in intent.usages} == {
        ("daily", "100000", "2026-03-14"),
        ("whole", "100000", "2026-03-14"),
    }
    before = _rows()
    with pytest.raises(LimitExceeded) as caught:
        till.pay(alice, bob, "500.01")
    assert (caught.value.fields["limit"], caught.value.fields["left"]) == ("daily", "500.00")
    assert _rows() == before
    till.pay(alice, bob, "500.00")
    assert {int(row.used_minor) for row in LimitUsage.objects.all()} == {150_000}


def test_step_3_and_4_frozen_and_posted_in_the_same_call_and_transit_is_zero(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    intent = till.pay(alice, bob, "1000.00")
    payer, payee = holders.available_address(alice), holders.available_address(bob)
    assert books.lines(subject=intent.reference) == {
        ("TRANSFER_HOLD", "pending", payer, "transit:transfers", "THB", 100_000): 1,
        ("TRANSFER_HOLD", "pending", "transit:transfers", payee, "THB", 100_000): 1,
        ("TRANSFER_SETTLE", "post", payer, "transit:transfers", "THB", 100_000): 1,
        ("TRANSFER_SETTLE", "post", "transit:transfers", payee, "THB", 100_000): 1,
    }
    rows = list(Posting.objects.filter(transaction__subject=intent.reference).select_related("transaction"))
    assert len({row.transaction.recorded_at for row in rows}) == 1, "one call"
    hold = Hold.objects.get(transaction_id__in=[row.transaction_id for row in rows])
    assert hold.expires_at is not None
    assert (hold.state, (hold.expires_at - intent.created_at).total_seconds()) == ("posted", 300)


def test_step_5_history_snapshots_and_audit_are_one_transaction(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob", funds=5_000)
    intent = till.pay(alice, bob, "1000.00")
    assert history(alice) == [("transfer_out", -100_000, 900_000, 0)]
    assert history(bob) == [("transfer_in", 100_000, 105_000, 0)]
    entry = WalletEntry.objects.get(wallet=bob.reference, kind="transfer_in")
    assert (entry.subject, entry.operator_id) == (intent.reference, till.caller.operator_id)
    posting = Posting.objects.get(pk=entry.ledger_reference.removeprefix("led_"))
    assert (posting.kind, posting.credit_account.address) == ("post", holders.available_address(bob))
    assert books.path(intent.reference) == ["created", "validated", "authorized", "settled"]
    moves = Move.objects.filter(subject=intent.reference).order_by("sequence")
    assert [(move.sequence, move.from_state, move.actor) for move in moves] == [
        (1, "", till.caller.actor),
        (2, "created", till.caller.actor),
        (3, "validated", till.caller.actor),
        (4, "authorized", till.caller.actor),
    ]
    before = _rows()

    def dies(*_: object) -> None:
        raise RuntimeError("the commit fails")

    monkeypatch.setattr("ledger.controls.bell.ring_after_commit", dies)
    with pytest.raises(RuntimeError):
        till.pay(alice, bob, "1000.00")
    assert _rows() == before, "if this commit fails the funds are where they were"


def test_step_6_the_events_say_what_each_step_said_and_the_last_has_the_reference_number(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    intent = till.pay(alice, bob, "1000.00", partner_reference="shop-1", note="lunch")
    events = list(Event.objects.filter(aggregate=intent.reference).order_by("sequence"))
    assert [event.topic for event in events] == [
        "intent.CREATED", "intent.VALIDATED", "intent.AUTHORIZED", "intent.SETTLED",
    ]  # fmt: skip
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [event.payload["requiresMonitoring"] for event in events] == [False, False, True, False]
    assert [event.payload["reference_number"] for event in events] == [None, None, None, intent.reference_number]
    stored = Intent.objects.get(reference=intent.reference)
    for event in events:  # what the model would have said in that state
        said = Intent.objects.get(pk=stored.pk)
        said.__dict__.update(state=event.payload["status"].lower())
        if not said.terminal:
            said.reference_number = ""
        announced = said.announcement()
        assert announced is not None
        assert dict(announced.payload) == event.payload
        assert announced.topic == event.topic
    assert (stored.version, stored.note, stored.partner_reference) == (4, "lunch", "shop-1")
    assert stored.created_at == stored.updated_at == stored.ended_at == till.clock.now()


REFUSALS: list[tuple[str, dict[str, Any], type[Refusal]]] = [
    ("not enough funds", {"amount": "10000.01"}, InsufficientFunds),
    ("the fee on top is not covered", {"amount": "9999.00"}, InsufficientFunds),
    ("the limit is reached", {"amount": "8000.01"}, LimitExceeded),
    ("to itself", {"payee": "alice"}, SameWallet),
    ("the payer is frozen", {"frozen": "alice"}, WalletFrozen),
    ("the payee is closed", {"closed": "bob"}, WalletClosed),
    ("the payee has no such asset", {"payee": "carol"}, AssetNotHeld),
    ("the payee is another operator's", {"payee": "stranger"}, NotFound),
    ("the fee is as large as the amount", {"amount": "0.10"}, FeesExceedAmount),
]


@pytest.mark.parametrize(("case", "change", "refusal"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_nothing_moves_when_it_is_refused(
    case: str, change: dict[str, Any], refusal: type[Refusal], till: Till
) -> None:
    in_force(fee("on_top", asset="THB", phase="PRE", fixed_minor=500))
    in_force(fee("out_of_it", asset="THB", phase="POST", fixed_minor=10))
    if refusal is LimitExceeded:
        in_force(limit("daily", asset="THB", cap_minor=800_000))
    names = {"alice": till.wallet("alice", funds=1_000_000), "bob": till.wallet("bob")}
    names["carol"] = till.wallet("carol", asset="EUR")
    names["stranger"] = open_till(till.clock, slug="rival").wallet("bob")
    if "frozen" in change:
        _frozen(names[change["frozen"]], till)
    if "closed" in change:
        with db_transaction.atomic():
            holders.close_wallet(reference=names[change["closed"]].reference, actor="user:o", now=till.clock.now())
    before = _rows()
    with pytest.raises(refusal):
        till.pay(names["alice"], names[change.get("payee", "bob")], change.get("amount", "10.00"))
    assert _rows() == before
    assert Intent.objects.count() == WalletEntry.objects.exclude(kind="opening_balance").count() == 0


def test_insufficient_funds_say_the_debit_and_what_may_be_spent(till: Till) -> None:
    in_force(fee(asset="THB", phase="PRE", fixed_minor=500))
    alice, bob = till.wallet("alice", funds=100_000), till.wallet("bob")
    with pytest.raises(InsufficientFunds) as caught:
        till.pay(alice, bob, "1000.00")
    assert caught.value.fields == {"debit": "1005.00", "available": "1000.00", "asset": "THB"}


def test_a_frozen_wallet_is_still_credited(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    _frozen(bob, till)
    assert till.pay(alice, bob, "10.00").state == "settled"


def test_nothing_is_written_when_the_day_is_locked(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_lock_period((SELECT id FROM ledger_book WHERE environment = 'test')::smallint, %s, 'lee', %s)",
            [till.clock.now().date(), till.clock.now()],
        )
    before = _rows()
    with pytest.raises(PeriodLocked):
        till.pay(alice, bob, "10.00")
    assert _rows() == before


def test_fee_rules_take_effect_immediately_without_a_deployment(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("shop", kind="merchant")
    assert till.pay(alice, bob, "1000.00").debit_minor == 100_000
    in_force(
        fee(asset="THB", phase="PRE", fixed_minor=500, condition="payee_kind == 'merchant' && amount_minor >= 1000")
    )
    assert till.pay(alice, bob, "1000.00").debit_minor == 100_500
    assert till.pay(alice, bob, "9.99").debit_minor == 999
    in_force(fee(asset="THB", phase="PRE", fixed_minor=700))
    assert till.pay(alice, bob, "1000.00").debit_minor == 100_700


def test_a_list_gives_each_its_own_result(till: Till) -> None:
    in_force(limit("daily", asset="THB", cap_minor=100_000))
    alice, bob, poor = till.wallet("alice", funds=1_000_000), till.wallet("bob"), till.wallet("poor")
    done = till.pay_list(
        [
            till.asked(alice, bob, "600.00", partner_reference="a"),
            till.asked(poor, bob, "1.00"),
            till.asked(alice, alice, "1.00"),
            till.asked(alice, bob, "500.00"),
            till.asked(alice, bob, "400.00"),
            till.asked(bob, poor, "1000.00", partner_reference="b"),
        ]
    )
    ends = [one.state if isinstance(one, Intent) else one.code for one in done]
    assert ends == ["settled", "insufficient_funds", "same_wallet", "limit_exceeded", "settled", "settled"]
    assert history(alice) == [("transfer_out", -60_000, 940_000, 0), ("transfer_out", -40_000, 900_000, 0)]
    assert history(bob) == [
        ("transfer_in", 60_000, 60_000, 0),
        ("transfer_in", 40_000, 100_000, 0),
        ("transfer_out", -100_000, 0, 0),
    ], "the balances after each, in order"
    assert history(poor) == [("transfer_in", 100_000, 100_000, 0)]
    used = {row.wallet: int(row.used_minor) for row in LimitUsage.objects.all()}
    assert used == {alice.reference: 100_000, bob.reference: 100_000, poor.reference: 0}, "given back"
    assert Intent.objects.count() == 3
    assert {books.path(one.reference)[-1] for one in done if isinstance(one, Intent)} == {"settled"}
    assert standing(accounts.TRANSFER_TRANSIT) == (0, 0, 0)


def test_one_that_fails_in_a_list_takes_nothing_from_the_limits_of_those_after_it(till: Till) -> None:
    in_force(limit("daily", asset="THB", cap_minor=100_000))
    alice, bob = till.wallet("alice", funds=70_000), till.wallet("bob")
    done = till.pay_list(
        [
            till.asked(alice, bob, "800.00"),
            till.asked(alice, bob, "600.00"),
            till.asked(bob, alice, "600.01"),
            till.asked(bob, alice, "600.00"),
            till.asked(alice, bob, "400.01"),
            till.asked(alice, bob, "400.00"),
        ]
    )
    ends = [one.state if isinstance(one, Intent) else one.code for one in done]
    assert ends == ["insufficient_funds", "settled", "insufficient_funds", "settled", "limit_exceeded", "settled"]
    short = done[0]
    assert isinstance(short, InsufficientFunds)
    assert short.fields == {"debit": "800.00", "available": "700.00", "asset": "THB"}
    used = {row.wallet: int(row.used_minor) for row in LimitUsage.objects.all()}
    assert used == {alice.reference: 100_000, bob.reference: 60_000}


def test_limits_get_back_what_the_ledger_refused_unforeseen(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Funds that went away through a door that locks no wallet: the ledger decides, whatever was read before."""
    in_force(limit("daily", asset="THB", cap_minor=100_000))
    alice, bob = till.wallet("alice", funds=70_000), till.wallet("bob")
    monkeypatch.setattr("orders.operations.transfer_now._Funds.spend", lambda funds, number: None)
    done = till.pay_list([till.asked(alice, bob, "800.00"), till.asked(alice, bob, "100.00")])
    ends = [one.state if isinstance(one, Intent) else one.code for one in done]
    assert ends == ["insufficient_funds", "settled"]
    assert {int(row.used_minor) for row in LimitUsage.objects.all()} == {10_000}


def test_all_or_none_of_an_atomic_list(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=100_000), till.wallet("bob")
    in_force(limit("daily", asset="THB", cap_minor=500_000))
    before = _rows()
    with pytest.raises(ListRefused) as caught:
        till.pay_list([till.asked(alice, bob, "600.00"), till.asked(alice, bob, "400.01")], atomic=True)
    assert (caught.value.fields["index"], caught.value.fields["reason"]) == (1, "insufficient_funds")
    assert _rows() == before
    done = till.pay_list([till.asked(alice, bob, "600.00"), till.asked(alice, bob, "400.00")], atomic=True)
    assert [one.state for one in done if isinstance(one, Intent)] == ["settled", "settled"]


def test_a_thousand_are_carried_out_in_as_many_statements_as_ten(
    till: Till, django_assert_max_num_queries: Any
) -> None:
    in_force(fee(asset="THB", phase="PRE", fixed_minor=5, vat_basis_points=700))
    in_force(limit("daily", asset="THB", cap_minor=10_000_000))
    many = [till.wallet(f"w{number}", funds=1_000_000) for number in range(10)]
    asked = [till.asked(many[n % 10], many[(n + 1 + n // 10 % 8) % 10], "1.00") for n in range(1000)]
    with django_assert_max_num_queries(16):
        done = till.pay_list(asked)
    assert sum(isinstance(one, Intent) for one in done) == 1000
    assert Intent.objects.filter(state="settled").count() == 1000
    assert (
        Move.objects.filter(machine="intent").count()
        == Event.objects.filter(topic__startswith="intent.").count()
        == 4000
    )
    assert sum(balance_of(one).posted for one in many) + 5 * 1000 == 10_000_000
    for one in many:
        newest = WalletEntry.objects.filter(wallet=one.reference).order_by("-pk")[0]
        assert int(newest.posted_minor) == balance_of(one).posted


def test_what_is_stored_is_what_was_returned_column_by_column(till: Till) -> None:
    """The function that writes names its columns: each of the table's is among them."""
    in_force(fee(asset="THB", phase="PRE", fixed_minor=5, vat_basis_points=700))
    in_force(limit("daily", asset="THB", cap_minor=10_000_000))
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob", kind="merchant", funds=1_000_000)
    asked = [
        till.asked(alice, bob, "10.00", note="rent"),
        till.asked(bob, alice, "20.00", partner_reference="shop-1"),
        till.asked(alice, bob, "30.00"),
    ]
    returned = [one for one in till.pay_list(asked) if isinstance(one, Intent)]
    assert len(returned) == 3
    names = [field.attname for field in Intent._meta.concrete_fields if not field.primary_key and not field.generated]
    assert set(Intent.objects.values_list("reference_freed_by", flat=True)) == {""}
    for one in returned:
        stored = Intent.objects.get(reference=one.reference)
        assert {name: getattr(stored, name) for name in names} == {name: getattr(one, name) for name in names}


def test_the_steps_of_a_list_write_no_index(till: Till) -> None:
    """Each step's version of a row stays on its page, and no index names what a step changes."""
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    counted = "pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_hot_updated(c.oid)"
    question = f"SELECT {counted} FROM pg_class AS c WHERE c.oid = 'orders_intent'::regclass"
    with db_transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(question)
        updated, in_place = cursor.fetchone()
        till.pay_list([till.asked(alice, bob, "1.00", partner_reference=f"shop-{number}") for number in range(200)])
        cursor.execute(question)
        assert cursor.fetchone() == (updated + 600, in_place + 600)


def test_a_transfer_reads_its_own_rows_by_a_plan_made_when_there_were_few(till: Till) -> None:
    """However many others there are: a plan is kept for its connection's life."""
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    with connection.cursor() as cursor:
        cursor.execute("DISCARD PLANS")
    till.pay(alice, bob, "1.00")
    for number in range(60):
        till.wallet(f"w{number}")
    till.pay_list([till.asked(alice, bob, "1.00") for _ in range(400)])
    question = """
    SELECT coalesce(sum(pg_stat_get_xact_tuples_fetched(i.indexrelid) + pg_stat_get_xact_tuples_returned(i.indexrelid)), 0),
           max(pg_stat_get_xact_tuples_returned(c.oid))
    FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid WHERE c.oid = %s::regclass
    """
    with db_transaction.atomic(), connection.cursor() as cursor:
        read = {}
        for table in ("orders_intent", "wallets_wallet"):
            cursor.execute(question, [table])
            read[table] = [-count for count in cursor.fetchone()]
        till.pay(alice, bob, "1.00")
        for table in read:
            cursor.execute(question, [table])
            read[table] = [before + after for before, after in zip(read[table], cursor.fetchone(), strict=True)]
    assert 0 < read["orders_intent"][0] < 30, read
    assert 0 < read["wallets_wallet"][0] < 30, read
    assert all(in_turn == 0 for _, in_turn in read.values()), read


def test_the_wallets_of_a_transfer_are_locked_and_nobody_elses(
    till: Till, superuser_connection: psycopg.Connection[Any]
) -> None:
    alice, bob, idle = till.wallet("alice"), till.wallet("bob"), till.wallet("idle")
    other = people.wallet("alice", owner=people.operator("globex"), kind="user", assets=["THB"])

    def is_locked(wallet: Wallet) -> bool:
        with suppress(psycopg.errors.LockNotAvailable), superuser_connection.transaction():
            superuser_connection.execute(
                "SELECT FROM wallets_wallet WHERE reference = %s FOR UPDATE NOWAIT", [wallet.reference]
            )
            return False
        return True

    with db_transaction.atomic():
        found = lock_parties(
            environment=alice.environment,
            operator_id=till.caller.operator_id,
            references=[bob.reference, other.reference, alice.reference],
        )
        assert set(found) == {alice.reference, bob.reference}
        assert [is_locked(one) for one in (alice, bob, idle, other)] == [True, True, False, False]
    assert not is_locked(alice)


def _frozen(wallet: Wallet, till: Till) -> None:
    with db_transaction.atomic():
        holders.freeze_wallet(reference=wallet.reference, reason="fraud?", actor="user:o", now=till.clock.now())
