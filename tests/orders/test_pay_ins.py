"""walletflow, Pay-in: the provider event is recorded first, then one balanced transaction; no duplicate moves money twice."""

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta, timezone
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import transaction as db_transaction

from ledger import accounts
from ledger.controls import clock, drains
from ledger.models import Event, Move, Transaction
from orders import intent_history
from orders.models import PayIn, WalletEntry
from tests.orders import books
from tests.orders.books import lines, topics
from tests.wallets.people import operator, wallet
from tests.wallets.rules import fee, in_force
from tests.webhooks.provider import Sender
from tests.webhooks.published import topics_recorded
from wallets import holders
from wallets.models import Wallet
from webhooks import providers
from webhooks.models import InboundEvent, Provider, ProviderTransaction

pytestmark = pytest.mark.usefixtures("database")

TERMS = providers.Terms(
    scheme=Provider.Scheme.STANDARD,
    kind="type",
    subjects=("data.wallet_id",),
    kinds=("payin.*",),
    transaction="data.transaction_id",
)


class Psp(Sender):
    """A payment provider, sending what it did."""

    def collects(self, found: Wallet, amount: str = "100.00", *, transaction: str = "txn_1", **more: Any) -> None:
        self.tells("collected", wallet_id=found.reference, amount=amount, transaction_id=transaction, **more)

    def gives_back(self, amount: str, *, of: str = "txn_1", transaction: str = "txn_2", **more: Any) -> None:
        self.tells("refunded", amount=amount, collection=of, transaction_id=transaction, **more)

    def takes_back(self, amount: str, *, of: str = "txn_1", transaction: str = "txn_3", **more: Any) -> None:
        self.tells("charged_back", amount=amount, collection=of, transaction_id=transaction, **more)

    def tells(self, kind: str, *, event_id: str = "", asset: str = "EUR", drains_too: bool = True, **data: Any) -> None:
        event_id = event_id or f"evt_{data.get('transaction_id')}_{kind}"
        answer = self.send(event_id, kind=f"payin.{kind}", data={"asset": asset, **data})
        assert answer.status_code in (200, 202), answer.content
        if drains_too:
            drains.drain("inbox")


@pytest.fixture
def psp() -> Psp:
    made = providers.create(code="psp", environment="test", operator_id=None, terms=TERMS, now=clock.now())
    return Psp("psp", made.secret)


@pytest.fixture
def shop() -> Wallet:
    in_force(fee("payin_fee", flow="payin", basis_points=250, fixed_minor=30, vat_basis_points=700))
    return wallet("shop", kind="merchant")


def available(found: Wallet) -> int:
    return holders.balances_of(found)[0].available


def judged() -> Counter[tuple[str, str]]:
    return Counter(InboundEvent.objects.values_list("state", "reason"))


def test_merchant_is_credited_net_of_fee_and_vat_in_a_single_balanced_transaction(psp: Psp, shop: Wallet) -> None:
    """ "A provider webhook credits the merchant net of fee and VAT in a single balanced transaction." """
    psp.collects(shop)
    # 2.5 % of 100.00 and 0.30; 7 % VAT of 2.80, rounded half up
    assert lines() == Counter(
        {
            ("PAYIN_COLLECTION", "posted", "bank:psp", f"merchants:{shop.reference}:available", "EUR", 9700): 1,
            ("PAYIN_COLLECTION", "posted", "bank:psp", "revenue:payin", "EUR", 280): 1,
            ("PAYIN_COLLECTION", "posted", "bank:psp", "liabilities:vat", "EUR", 20): 1,
        }
    )
    made = PayIn.objects.get()
    (transaction,) = Transaction.objects.all()
    assert (transaction.subject, transaction.refs["inbound_event"]) == (made.reference, made.inbound_event)
    assert (available(shop), made.net_minor, made.fee_items[0]["rule"]) == (9700, 9700, "payin_fee")
    event = InboundEvent.objects.get()
    assert (event.reference, event.state, event.reason) == (
        made.inbound_event,
        "applied",
        f"booked as {made.reference}",
    )
    entry = WalletEntry.objects.get()
    assert (entry.wallet, entry.subject, entry.kind) == (shop.reference, made.reference, "payin_collected")
    assert (int(entry.amount_minor), int(entry.posted_minor), int(entry.held_minor)) == (9700, 9700, 0)
    move = Move.objects.get(subject=made.reference)
    assert (move.actor, move.event_reference, move.to_state) == ("provider:psp", made.inbound_event, "booked")


def test_what_operators_hear_of_a_pay_in_is_as_published(psp: Psp, shop: Wallet) -> None:
    psp.collects(shop)
    psp.gives_back("40.00")
    first, second = PayIn.objects.order_by("pk")
    assert topics(first.reference) + topics(second.reference) == ["payin.collected", "payin.refunded"]
    assert list(topics_recorded()) == ["payin.collected", "payin.refunded"]
    assert set(Event.objects.values_list("operator_id", "public")) == {(shop.operator_id, True)}
    assert Event.objects.get(topic="payin.refunded").payload["collection_id"] == first.reference


REPEATS = [
    ("the same event again", {"event_id": "evt_txn_1_collected"}, 1, "booked"),
    ("the same collection under a new event id", {"event_id": "evt_other"}, 2, "already processed"),
]


@pytest.mark.parametrize(("case", "again", "events", "reason"), REPEATS, ids=[row[0] for row in REPEATS])
def test_repeat_is_already_processed(
    psp: Psp, shop: Wallet, case: str, again: dict[str, str], events: int, reason: str
) -> None:
    """ "The provider event is recorded first — a re-delivered webhook is rejected as already processed." """
    psp.collects(shop)
    before = lines()
    psp.collects(shop, **again)
    made = PayIn.objects.get()
    assert (lines(), available(shop), InboundEvent.objects.count()) == (before, 9700, events)
    newest = InboundEvent.objects.order_by("-pk")[0]
    assert newest.reason == (f"booked as {made.reference}" if events == 1 else f"already processed as {made.reference}")
    assert (newest.state, WalletEntry.objects.count()) == ("applied" if events == 1 else "ignored", 1)


def test_repeat_that_says_another_amount_waits_for_people(psp: Psp, shop: Wallet) -> None:
    psp.collects(shop)
    psp.collects(shop, "900.00", event_id="evt_other")
    assert InboundEvent.objects.order_by("-pk")[0].state == "parked"
    assert (PayIn.objects.count(), available(shop)) == (1, 9700)


def test_repeat_that_says_another_wallet_or_collection_waits_for_people(psp: Psp, shop: Wallet) -> None:
    other = wallet("bob", assets=["EUR"])
    psp.collects(shop)
    first = PayIn.objects.get()
    psp.collects(other, event_id="evt_other")
    newest = InboundEvent.objects.order_by("-pk")[0]
    assert (newest.state, newest.reason) == (
        "parked",
        f"already processed as {first.reference}, for another wallet or collection",
    )
    psp.collects(shop, transaction="txn_9")
    psp.gives_back("10.00", of="txn_1")
    psp.gives_back("10.00", of="txn_9", event_id="evt_of_another")
    assert InboundEvent.objects.order_by("-pk")[0].state == "parked"
    psp.gives_back("10.00", of="txn_1", event_id="evt_again")
    assert InboundEvent.objects.order_by("-pk")[0].state == "ignored"
    assert (PayIn.objects.count(), available(other)) == (3, 0)


def test_collection_is_booked_once_when_it_comes_under_many_ids_at_once(
    psp: Psp, shop: Wallet, run_threads: Callable[..., Sequence[Any]]
) -> None:
    for number in range(12):
        psp.collects(shop, event_id=f"evt_{number}", drains_too=False)
    run_threads(*[lambda: drains.drain("inbox")] * 4)
    drains.drain("inbox")
    assert (PayIn.objects.count(), available(shop), Transaction.objects.count()) == (1, 9700, 1)
    assert Counter(InboundEvent.objects.values_list("state", flat=True)) == {"applied": 1, "ignored": 11}


def test_refund_and_chargeback_take_from_the_wallet_and_what_it_lacks_is_owed(psp: Psp, shop: Wallet) -> None:
    """A fact from outside is never refused: what the account lacks is debited to its receivable (rule L4)."""
    psp.collects(shop)
    psp.gives_back("60.00")
    assert (available(shop), holders.balances_of(shop)[0].receivable) == (3700, 0)
    psp.takes_back("40.00")
    assert (available(shop), holders.balances_of(shop)[0].receivable) == (0, 300)
    address = holders.available_address(shop)
    assert lines(subject=PayIn.objects.get(kind="charged_back").reference) == Counter(
        {
            ("PAYIN_CHARGEBACK", "posted", address, "bank:psp", "EUR", 3700): 1,
            ("PAYIN_CHARGEBACK", "posted", holders.receivable_address(shop), "bank:psp", "EUR", 300): 1,
        }
    )
    kinds = list(WalletEntry.objects.order_by("pk").values_list("kind", "amount_minor"))
    assert [(kind, int(amount)) for kind, amount in kinds] == [
        ("payin_collected", 9700),
        ("payin_refunded", -6000),
        ("payin_charged_back", -3700),
    ]


def test_chargeback_has_a_fee_of_its_own_when_a_rule_says_so(psp: Psp, shop: Wallet) -> None:
    in_force(fee("chargeback_fee", flow="payin_chargeback", phase="PRE", fixed_minor=1500, vat_basis_points=700))
    psp.collects(shop)
    psp.takes_back("10.00")
    taken = PayIn.objects.get(kind="charged_back")
    assert (taken.net_minor, int(taken.fee_minor), int(taken.vat_minor)) == (1000 + 1500 + 105, 1500, 105)
    assert available(shop) == 9700 - 2605


def test_collection_smaller_than_its_fees_is_booked_without_them(psp: Psp, shop: Wallet) -> None:
    psp.collects(shop, "0.20")
    assert (available(shop), PayIn.objects.get().fee_items) == (20, [])


def _without(psp: Psp, **data: Any) -> None:
    psp.tells("collected", **{"wallet_id": "wal_x", "amount": "1.00", **data})


NOT_YET: list[tuple[str, Callable[[Psp, Wallet], None], str]] = [
    ("a refund that overtook its collection", lambda psp, _: psp.gives_back("1.00"), "'txn_1' is not here (yet)"),
    ("a wallet that there is not", lambda psp, _: _without(psp, transaction_id="t"), "wallet 'wal_x' is not here"),
    ("no transaction", lambda psp, shop: _without(psp, wallet_id=shop.reference), "names no transaction"),
    ("an amount that is none", lambda psp, shop: psp.collects(shop, "1e3"), "amount '1e3'"),
    ("too many decimals", lambda psp, shop: psp.collects(shop, "1.001"), "at most 2 decimals"),
    ("nothing", lambda psp, shop: psp.collects(shop, "0.00"), "its amount is nothing"),
    ("an unknown asset", lambda psp, shop: psp.collects(shop, asset="XXX"), "of 'XXX'"),
    ("an asset that it does not hold", lambda psp, shop: psp.collects(shop, asset="USDT"), "does not hold USDT"),
]


@pytest.mark.parametrize(("case", "tell", "reason"), NOT_YET, ids=[row[0] for row in NOT_YET])
def test_what_cannot_be_booked_waits_and_ends_among_the_dead(
    psp: Psp, shop: Wallet, case: str, tell: Callable[[Psp, Wallet], None], reason: str
) -> None:
    """It is money: never ignored. Nothing of it is left behind, so that it can be booked later."""
    with clock.use(clock.FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, clock.FixedClock)
        tell(psp, shop)
        event = InboundEvent.objects.get()
        assert event.state == "parked"
        assert reason in event.reason
        for _ in range(20):
            fixed.move_to(fixed.now() + timedelta(minutes=15))
            drains.drain("inbox")
    assert InboundEvent.objects.get().state == "dead"
    assert (PayIn.objects.count(), ProviderTransaction.objects.count(), Transaction.objects.count()) == (0, 0, 0)


def test_refund_that_overtook_its_collection_is_booked_when_that_has_come(psp: Psp, shop: Wallet) -> None:
    with clock.use(clock.FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, clock.FixedClock)
        psp.gives_back("60.00")
        psp.collects(shop)
        fixed.move_to(fixed.now() + timedelta(minutes=15))
        drains.drain("inbox")
    assert sorted(PayIn.objects.values_list("kind", flat=True)) == ["collected", "refunded"]
    assert available(shop) == 3700


def test_what_is_taken_back_beyond_what_was_collected_is_a_fact_and_becomes_a_receivable(
    psp: Psp, shop: Wallet
) -> None:
    psp.collects(shop)
    psp.gives_back("60.00")
    psp.takes_back("100.00")
    assert [event.state for event in InboundEvent.objects.all()] == ["applied"] * 3
    assert available(shop) == 0
    held = books.balances()
    assert held["bank:psp", "EUR"][0] - held["bank:psp", "EUR"][1] == 10_000 - 6_000 - 10_000
    lacked = held[accounts.merchant_receivable(shop.reference), "EUR"]
    assert lacked[0] - lacked[1] == 16_000 - 9_700
    psp.takes_back("1.00", transaction="txn_4", asset="USD")
    assert InboundEvent.objects.order_by("-pk")[0].reason.endswith(" collected EUR, not USD")


def test_wallet_of_another_operator_is_none_to_an_operator_s_own_provider(shop: Wallet) -> None:
    rival = operator("rival")
    made = providers.create(code="own", environment="test", operator_id=rival.pk, terms=TERMS, now=clock.now())
    theirs = Psp("own", made.secret)
    theirs.collects(shop)
    assert InboundEvent.objects.get().state == "parked"
    theirs.collects(wallet("shop", owner=rival, kind="merchant"), transaction="txn_9")
    assert PayIn.objects.get().operator_id == rival.pk


def test_frozen_wallet_is_credited_and_charged_back_all_the_same(psp: Psp, shop: Wallet) -> None:
    with db_transaction.atomic():
        holders.freeze_wallet(reference=shop.reference, reason="asked by the bank", actor="user:olga", now=clock.now())
    psp.collects(shop)
    psp.takes_back("100.00")
    assert PayIn.objects.count() == 2


def test_news_of_a_kind_that_its_provider_may_not_bring_changes_nothing(shop: Wallet, psp: Psp) -> None:
    before = books.balances()
    for kinds in (["payout.updated"], ["payin.refunded", "trade.*"], ["payin"], ["pay.*"]):
        with db_transaction.atomic():
            providers.allow(code="psp", kinds=kinds)
        psp.collects(shop, transaction=f"txn_{kinds[0]}")
        event = InboundEvent.objects.order_by("-pk")[0]
        assert (event.state, event.reason) == (
            "parked", "psp may not bring payin.collected: its row does not allow it",
        )  # fmt: skip
    assert (books.balances(), PayIn.objects.count(), ProviderTransaction.objects.count()) == (before, 0, 0)
    with db_transaction.atomic():
        providers.allow(code="psp", kinds=["payin.collected"])
    psp.collects(shop, transaction="txn_payout.updated", event_id="again")
    psp.gives_back("1.00", of="txn_payout.updated")
    assert [pay_in.kind for pay_in in PayIn.objects.all()] == ["collected"]
    assert InboundEvent.objects.order_by("-pk")[0].state == "parked"


def test_what_came_before_its_provider_was_allowed_to_bring_it_is_judged_then(
    shop: Wallet, psp: Psp, fixed_clock: clock.FixedClock
) -> None:
    with db_transaction.atomic():
        providers.allow(code="psp", kinds=["payout.updated"])
    psp.collects(shop)
    assert (InboundEvent.objects.get().state, PayIn.objects.count()) == ("parked", 0)
    with db_transaction.atomic():
        providers.allow(code="psp", kinds=["payin.*"])
    fixed_clock.move_to(clock.now() + timedelta(minutes=1))
    drains.drain("inbox")
    assert (InboundEvent.objects.get().state, PayIn.objects.get().kind) == ("applied", "collected")


def test_provider_without_a_mapping_of_its_own_is_read_as_the_guide_says(shop: Wallet) -> None:
    told = io.StringIO()
    call_command("inbox_provider", "create", "plain", "--may-bring", "payin.*", stdout=told)
    Psp("plain", json.loads(told.getvalue())["secret"]).collects(shop)
    assert PayIn.objects.get().provider_transaction == "txn_1"


def test_provider_that_speaks_otherwise_is_read_by_its_mapping(shop: Wallet) -> None:
    terms = providers.Terms(
        scheme=Provider.Scheme.STANDARD,
        kind="type",
        subjects=("object.account",),
        kinds=("payin.collected",),
        transaction="object.id",
        fields={"amount": "object.sum", "asset": "object.currency", "wallet": "object.account"},
    )
    made = providers.create(code="other", environment="test", operator_id=None, terms=terms, now=clock.now())
    body = json.dumps(
        {"type": "payin.collected", "object": {"id": "x1", "sum": "5.00", "currency": "EUR", "account": shop.reference}}
    ).encode()
    sender = Sender("other", made.secret)
    assert sender.post(body, sender.signed("evt_1", body)).status_code == 202
    drains.drain("inbox")
    assert int(PayIn.objects.get().gross_minor) == 500


def test_nothing_is_half_booked_when_the_worker_dies_before_its_commit(
    psp: Psp, shop: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(**_: Any) -> None:
        raise Killed

    psp.collects(shop, drains_too=False)
    with monkeypatch.context() as patched:
        patched.setattr(intent_history, "record", dies)
        with pytest.raises(Killed):
            drains.drain("inbox")
    assert (PayIn.objects.count(), Transaction.objects.count(), ProviderTransaction.objects.count()) == (0, 0, 0)
    drains.drain("inbox")
    assert (PayIn.objects.count(), available(shop), WalletEntry.objects.count()) == (1, 9700, 1)


def test_the_day_is_the_provider_s_where_it_says_one(psp: Psp, shop: Wallet) -> None:
    yesterday = clock.now() - timedelta(days=1)
    psp.collects(shop, occurred_at=yesterday.isoformat())
    psp.collects(shop, transaction="txn_5", occurred_at=(clock.now() + timedelta(days=3)).isoformat())
    first, second = Transaction.objects.order_by("recorded_at")
    assert first.effective_at == yesterday
    assert second.effective_at <= clock.now(), "a future instant is not believed"


def test_a_history_line_shows_what_the_wallet_paid_of_it_and_the_rest_is_owed(psp: Psp, shop: Wallet) -> None:
    """Amounts and balances of a history add up, whatever was a receivable's."""
    psp.collects(shop)
    psp.takes_back("120.00", drains_too=True)
    psp.takes_back("5.00", transaction="txn_4")
    rows = list(WalletEntry.objects.order_by("pk").values_list("kind", "amount_minor", "posted_minor"))
    assert [(kind, int(amount), int(posted)) for kind, amount, posted in rows] == [
        ("payin_collected", 9700, 9700),
        ("payin_charged_back", -9700, 0),
        ("payin_charged_back", 0, 0),
    ]
    assert (available(shop), holders.balances_of(shop)[0].receivable) == (0, 12500 - 9700)


def test_a_closed_wallet_that_is_paid_is_credited_and_marked(psp: Psp, shop: Wallet) -> None:
    with db_transaction.atomic():
        holders.close_wallet(reference=shop.reference, actor="operator:op_1", now=clock.now())
    psp.collects(shop)
    assert available(shop) == 9700
    assert Wallet.objects.filter(moved_after_close_at__isnull=False).count() == 1
    psp.gives_back("97.00")
    assert (available(shop), Wallet.objects.filter(moved_after_close_at__isnull=False).count()) == (0, 0)


@pytest.mark.parametrize(
    "said",
    [
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "2999-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        "yesterday",
        "",
    ],
)
def test_an_instant_that_is_not_credible_is_kept_and_not_believed(said: str, psp: Psp, shop: Wallet) -> None:
    psp.collects(shop, occurred_at=said)
    made = PayIn.objects.get()
    told_at = InboundEvent.objects.get().created_at
    assert (made.occurred_at, made.occurred_said) == (told_at, said)
    assert Transaction.objects.get().effective_at == told_at


def test_an_instant_of_up_to_a_year_ago_is_believed(psp: Psp, shop: Wallet) -> None:
    for days, believed in ((365, True), (367, False)):
        said = (clock.now() - timedelta(days=days)).isoformat()
        psp.collects(shop, transaction=f"txn_{days}", occurred_at=said)
        made = PayIn.objects.get(provider_transaction=f"txn_{days}")
        assert (made.occurred_at.isoformat() == said, made.occurred_said) == (believed, said)


def test_an_instant_is_believed_when_its_offset_is_wider_than_the_database_knows(psp: Psp, shop: Wallet) -> None:
    occurred = clock.now() - timedelta(days=2)
    said = occurred.astimezone(timezone(timedelta(hours=20))).isoformat()
    psp.collects(shop, occurred_at=said)
    made = PayIn.objects.get()
    assert (made.occurred_at, made.occurred_said) == (occurred, said)
    assert Transaction.objects.get().effective_at == occurred


def test_raw_sql_cannot_change_a_pay_in(
    psp: Psp, shop: Wallet, application_connection: psycopg.Connection[Any]
) -> None:
    psp.collects(shop)
    for statement in ("UPDATE orders_payin SET gross_minor = 1", "DELETE FROM orders_payin"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application_connection.execute(statement)
        application_connection.rollback()
