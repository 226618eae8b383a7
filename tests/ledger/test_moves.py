"""The one door for moves: state, audit, event and postings commit together, or not at all (rules S1, S2)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import DataError, connection
from django.db import transaction as db_transaction

from ledger import accounts, balances, verify
from ledger.accounts import Opening
from ledger.controls import clock, references, request_context
from ledger.controls.moves import Birth, Change, IllegalMove, OutsideTransaction, PeriodLocked, StaleVersion, Why, move
from ledger.controls.moves_together import Step, move_together
from ledger.drafts import Draft
from ledger.journal import PostingRefused
from ledger.models import Event, Move, QueuedEvent
from ledger.money import Money
from orders.models import Quote
from tests.ledger.door import counts
from tests.ledger.door import test_book as number_of_test_book
from tests.threads import run_threads

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)
WHY = Why(actor="operator:op_1", cause="a test", evidence={"status": "found"}, event="pe_1")


@pytest.fixture(autouse=True)
def _clock(database: None) -> Iterator[None]:
    with clock.use(clock.FixedClock(NOW)), request_context.bound(request_id="req_1"):
        yield


def test_birth_writes_row_audit_and_event_together() -> None:
    quote = _born()
    stored = Quote.objects.get()
    assert (stored.state, stored.version, stored.created_at, stored.updated_at) == ("active", 1, NOW, NOW)
    (audit,) = Move.objects.all()
    assert (audit.machine, audit.subject, audit.sequence) == ("quote", quote.reference, 1)
    assert (audit.from_state, audit.to_state) == ("", "active")
    assert (audit.actor, audit.cause, audit.evidence) == ("operator:op_1", "a test", {"status": "found"})
    assert (audit.environment, audit.operator_id, audit.request_id, audit.event_reference) == (
        "test",
        7,
        "req_1",
        "pe_1",
    )
    assert audit.moved_at == NOW
    (event,) = Event.objects.all()
    assert (event.topic, event.aggregate, event.sequence, event.public) == ("quote.active", quote.reference, 1, True)
    assert (event.environment, event.operator_id, event.request_id, event.recorded_at) == ("test", 7, "req_1", NOW)
    assert event.payload["quote_id"] == quote.reference
    (queued,) = QueuedEvent.objects.all()
    assert (queued.pk, queued.aggregate, queued.sequence, queued.available_at) == (event.pk, quote.reference, 1, NOW)


def test_change_writes_its_values_with_the_next_version() -> None:
    quote = _born()
    _moved(Change(quote, "accept", {"order_reference": "ord_1"}))
    stored = Quote.objects.get()
    assert (stored.state, stored.version, stored.order_reference) == ("accepted", 2, "ord_1")
    assert (quote.state, quote.version, quote.order_reference) == ("accepted", 2, "ord_1")
    assert list(Move.objects.order_by("sequence").values_list("sequence", "from_state", "to_state")) == [
        (1, "", "active"),
        (2, "active", "accepted"),
    ]
    assert list(Event.objects.order_by("sequence").values_list("sequence", "topic")) == [
        (1, "quote.active"),
        (2, "quote.accepted"),
    ]


def test_move_posts_its_drafts_at_its_own_instant() -> None:
    _open()
    with clock.use(clock.FixedClock(datetime(2025, 3, 12, 23, 59, tzinfo=UTC))), db_transaction.atomic():
        move(Birth(_quote()), why=WHY, now=NOW, drafts=[_funding("k", 5)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT effective_at, recorded_at, request_id FROM ledger_transaction")
        assert cursor.fetchall() == [(NOW, NOW, "req_1")]


def test_nothing_moves_outside_a_transaction() -> None:
    with pytest.raises(OutsideTransaction):
        move(Birth(_quote()), why=WHY, now=NOW)
    _nothing_is_left()


def test_move_is_refused_when_its_state_does_not_allow_it() -> None:
    quote = _born()
    _moved(Change(quote, "cancel"))
    before = _left()
    with pytest.raises(IllegalMove) as refused, db_transaction.atomic():
        move(Change(quote, "accept"), why=WHY, now=NOW, drafts=[])
    assert refused.value.fields == {"reference": quote.reference, "state": "cancelled"}
    assert _left() == before


def test_move_is_refused_when_the_row_was_changed_meanwhile() -> None:
    _open()
    quote = _born()
    stale = Quote.objects.get()
    _moved(Change(quote, "accept"))
    before = _left()
    with pytest.raises(StaleVersion), db_transaction.atomic():
        move(Change(stale, "expire"), why=WHY, now=NOW, drafts=[_funding("k", 5)])
    assert _left() == before
    assert Quote.objects.get().state == "accepted"


def test_one_of_many_wins_when_they_move_the_same_version() -> None:
    _born()
    copies = [Quote.objects.get() for _ in range(3)]
    ends = run_threads(
        lambda: _race(copies[0], "accept"), lambda: _race(copies[1], "expire"), lambda: _race(copies[2], "cancel")
    )
    assert sorted(type(end).__name__ for end in ends) == ["StaleVersion", "StaleVersion", "str"]
    assert Quote.objects.get().version == 2
    assert Move.objects.count() == Event.objects.count() == 2


def _race(copy: Quote, transition: str) -> str:
    with clock.use(clock.FixedClock(NOW)), db_transaction.atomic():
        move(Change(copy, transition), why=WHY, now=NOW)
    return transition


def test_nothing_is_left_when_a_posting_is_refused() -> None:
    _open()
    before = _left()
    with pytest.raises(PostingRefused) as refused, db_transaction.atomic():
        move(Birth(_quote()), why=WHY, now=NOW, drafts=[_funding("k1", 5), _taking("k2", 6)])
    assert refused.value.fields == {"ledger_code": "exceeds_credits", "event_type": "POOL_FUNDING"}
    assert _left() == before
    with db_transaction.atomic():  # the keys stayed free
        move(Birth(_quote()), why=WHY, now=NOW, drafts=[_funding("k1", 6), _taking("k2", 6)])
    assert _pool() == 0
    assert [v.check.name for v in verify.verify() if v.breaks] == []


def test_nothing_is_left_when_the_date_is_locked() -> None:
    _open()
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock_period(%s::smallint, %s, 'x')", [number_of_test_book(), date(2025, 3, 12)])
    before = _left()
    with pytest.raises(PeriodLocked), db_transaction.atomic():
        move(Birth(_quote()), why=WHY, now=NOW, drafts=[_funding("k", 5)])
    assert _left() == before


def test_nothing_is_left_when_one_of_several_changes_is_refused() -> None:
    first, second = _born(), _born()
    _moved(Change(second, "cancel"))
    before = _left()
    with pytest.raises(IllegalMove), db_transaction.atomic():
        move(Change(first, "accept"), Change(second, "accept"), why=WHY, now=NOW)
    assert _left() == before
    assert Quote.objects.get(pk=first.pk).state == "active"


def test_sequences_have_no_gap_when_moves_fail_between() -> None:
    quote = _born()
    for _ in range(3):
        with pytest.raises(IllegalMove), db_transaction.atomic():
            move(Change(quote, "accept"), Change(_cancelled(), "accept"), why=WHY, now=NOW)
        quote = Quote.objects.get(pk=quote.pk)
    _moved(Change(quote, "accept"))
    assert list(Event.objects.filter(aggregate=quote.reference).values_list("sequence", flat=True)) == [1, 2]


def test_books_are_not_mixed_in_one_step() -> None:
    with pytest.raises(AssertionError, match="one book"), db_transaction.atomic():
        move(Birth(_quote()), Birth(_quote(environment="live")), why=WHY, now=NOW)
    _nothing_is_left()


def _quote(**given: Any) -> Quote:
    values: dict[str, Any] = {
        "reference": references.new(references.Prefix.QUOTE),
        "environment": "test",
        "operator_id": 7,
        "pool_id": 1,
        "pool_code": "A",
        "side": "buy",
        "user_reference": "u",
        "source_asset": "EUR",
        "source_minor": 100,
        "fee_minor": 0,
        "cash_asset": "EUR",
        "cash_minor": 100,
        "target_asset": "EUR",
        "target_minor": 90,
        "expires_at": NOW,
    }
    return Quote(**{**values, **given})


def _born() -> Quote:
    quote = _quote()
    _moved(Birth(quote))
    return quote


def _cancelled() -> Quote:
    quote = _born()
    _moved(Change(quote, "cancel"))
    return quote


def _moved(change: Birth | Change) -> None:
    with db_transaction.atomic():
        move(change, why=WHY, now=NOW)


def _open() -> None:
    accounts.open_accounts(
        environment="test",
        openings=[Opening("@world", "EUR", accounts.OUTSIDE), Opening("pools:A", "EUR", accounts.POOL)],
    )


def _funding(key: str, amount: int) -> Draft:
    return Draft(
        event_type="POOL_FUNDING",
        key=key,
        subject="x",
        amounts={"amount": Money(amount, "EUR")},
        accounts={"world": "@world", "pool": "pools:A"},
    )


def _taking(key: str, amount: int) -> Draft:
    return Draft(
        event_type="POOL_FUNDING",
        key=key,
        subject="x",
        amounts={"amount": Money(amount, "EUR")},
        accounts={"world": "pools:A", "pool": "@world"},
    )


def _pool() -> int:
    return balances.read(environment="test", accounts=[("pools:A", "EUR")])[("pools:A", "EUR")].available


def _left() -> tuple[object, ...]:
    rows = list(Quote.objects.order_by("pk").values_list("pk", "state", "version"))
    return (rows, Move.objects.count(), Event.objects.count(), QueuedEvent.objects.count(), counts())


def _nothing_is_left() -> None:
    assert _left() == ([], 0, 0, 0, dict.fromkeys(counts(), 0))


def test_steps_together_refuse_what_is_too_long_for_its_column() -> None:
    quote = _born()
    length = Quote._meta.get_field("order_reference").max_length
    assert length is not None
    step = Step([Change(quote, "accept", {"order_reference": "x" * (length + 1)})], WHY, "req_1")
    with pytest.raises(DataError), db_transaction.atomic():
        move_together([step], now=NOW)
    assert Quote.objects.get().state == "active"
