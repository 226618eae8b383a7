"""Rule L7: the same key with the same content is a success, with other content an error that names the field."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from tests.ledger.door import (
    MAXIMUM,
    Item,
    Move,
    balance,
    codes,
    counts,
    open_book,
    plain,
    release,
    reserve,
    results,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)

PLAIN = plain("k", "a", "b", 10, subject="ord_1", refs={"trade": "trd_1"}, effective_at=NOON)
RESERVE = Item("k", [Move("a", "b", 10), Move("a", "c", 5)], phase="reserve", timeout=60)
SETTLE = settle("k", "hold", Move("a", "b", 7), Move("a", "c", 5))
RELEASE = release("k", "hold")

REPEATS = [
    # what stood          what is asked now                                                        the answer
    (PLAIN, PLAIN, "exists"),
    (PLAIN, replace(PLAIN, effective_at=None), "exists"),
    (PLAIN, replace(PLAIN, phase="reserve"), "exists_with_different_flags"),
    (PLAIN, RELEASE, "exists_with_different_flags"),
    (PLAIN, replace(PLAIN, timeout=5), "exists_with_different_timeout"),
    (PLAIN, replace(PLAIN, postings=[Move("c", "b", 10)]), "exists_with_different_debit_account_id"),
    (PLAIN, replace(PLAIN, postings=[Move("x", "b", 10)]), "exists_with_different_debit_account_id"),
    (PLAIN, replace(PLAIN, postings=[Move("a", "b", 10, "USD")]), "exists_with_different_debit_account_id"),
    (PLAIN, replace(PLAIN, postings=[Move("a", "c", 10)]), "exists_with_different_credit_account_id"),
    (PLAIN, replace(PLAIN, postings=[Move("a", "b", 11)]), "exists_with_different_amount"),
    (PLAIN, replace(PLAIN, postings=[Move("a", "b", 0)]), "exists_with_different_amount"),
    (PLAIN, replace(PLAIN, postings=[Move("a", "b", 10)] * 2), "exists_with_different_debit_account_id"),
    (PLAIN, replace(PLAIN, subject="ord_2"), "exists_with_different_user_data"),
    (PLAIN, replace(PLAIN, refs={"trade": "trd_2"}), "exists_with_different_user_data"),
    (PLAIN, replace(PLAIN, event_type="OTHER"), "exists_with_different_code"),
    (
        PLAIN,
        replace(PLAIN, effective_at=datetime(2025, 3, 11, tzinfo=UTC)),
        "exists_with_different_effective_at",
    ),
    (RESERVE, RESERVE, "exists"),
    (RESERVE, replace(RESERVE, timeout=61), "exists_with_different_timeout"),
    (RESERVE, replace(RESERVE, phase="plain", timeout=0), "exists_with_different_flags"),
    (
        RESERVE,
        replace(RESERVE, postings=[Move("a", "c", 5), Move("a", "b", 10)]),
        "exists_with_different_credit_account_id",
    ),
    (SETTLE, SETTLE, "exists"),
    (SETTLE, replace(SETTLE, postings=[Move("a", "c", 5), Move("a", "b", 7)]), "exists"),
    (SETTLE, replace(SETTLE, postings=[Move("a", "c", MAXIMUM), Move("a", "b", 7)]), "exists"),
    (SETTLE, replace(SETTLE, postings=[Move("a", "c", 5), Move("a", "b", 3), Move("a", "b", 4)]), "exists"),
    (
        SETTLE,
        replace(SETTLE, postings=[Move("a", "b", MAXIMUM), Move("a", "c", 5)]),
        "exists_with_different_amount",
    ),
    (SETTLE, replace(SETTLE, postings=[Move("a", "b", 7)]), "exists_with_different_amount"),
    (SETTLE, replace(SETTLE, postings=[]), "exists_with_different_amount"),
    (SETTLE, replace(SETTLE, postings=[Move("b", "c", 7)]), "exists_with_different_debit_account_id"),
    (SETTLE, replace(SETTLE, postings=[Move("a", W, 7)]), "exists_with_different_credit_account_id"),
    (SETTLE, replace(SETTLE, hold="other"), "exists_with_different_pending_id"),
    (SETTLE, replace(SETTLE, hold="none"), "exists_with_different_pending_id"),
    (RELEASE, RELEASE, "exists"),
    (RELEASE, replace(RELEASE, hold="other"), "exists_with_different_pending_id"),
    (RELEASE, replace(RELEASE, subject="ord_2"), "exists_with_different_user_data"),
]


@pytest.mark.parametrize("together", [False, True], ids=["later call", "same list"])
@pytest.mark.parametrize("stood,asked,answer", REPEATS)
def test_repeat_is_compared_with_what_stood(stood: Item, asked: Item, answer: str, together: bool) -> None:
    open_book("a", "b", "c")
    codes(
        plain("funding", W, "a", 1000),
        Item("hold", [Move("a", "b", 10), Move("a", "c", 5)], phase="reserve"),
        reserve("other", "a", "b", 10),
    )
    if together:
        first, second = results(stood, asked)
        after = (balance("a"), counts())
    else:
        (first,) = results(stood)
        after = (balance("a"), counts())
        (second,) = results(asked)
    assert first.code == "created"
    assert second.code == answer
    assert second.transaction_id == first.transaction_id
    assert (balance("a"), counts()) == after


def test_key_stays_failed_when_a_transient_failure_was_committed() -> None:
    open_book("a", "b")
    codes(plain("funding", W, "a", 10))
    item = plain("k", "a", "b", 11)
    assert codes(item) == ["exceeds_credits"]
    codes(plain("more", W, "a", 10))
    assert codes(item) == ["id_already_failed"]
    assert codes(replace(item, postings=[Move("a", "b", 1)])) == ["id_already_failed"]


@pytest.mark.parametrize("postings", [[Move("a", "b", 11)], [Move("a", "b", 1), Move("a", "b", 10)]])
def test_key_stays_free_when_the_caller_rolled_back(postings: list[Move]) -> None:
    open_book("a", "b")
    codes(plain("funding", W, "a", 10))
    item = Item("k", postings)
    with db_transaction.atomic():
        assert codes(item) == ["exceeds_credits"]
        db_transaction.set_rollback(True)
    codes(plain("more", W, "a", 1))
    assert codes(item) == ["created"]


@pytest.mark.parametrize("inside", [False, True], ids=["by itself", "within a savepoint"])
def test_key_stays_free_when_it_failed_for_no_transient_reason(inside: bool) -> None:
    open_book("a", "b")
    codes(plain("funding", W, "a", 10), reserve("hold", "a", "b", 5))
    beyond = settle("k", "hold", Move("a", "b", 6))
    chain = [plain("c1", "a", "b", 1, linked=True), plain("c2", "a", "b", 99)]
    with db_transaction.atomic(), db_transaction.atomic(savepoint=inside):
        assert codes(beyond) == ["exceeds_pending_transfer_amount"]
        assert codes(*chain) == ["linked_event_failed", "exceeds_credits"]
    assert codes(replace(beyond, postings=[Move("a", "b", 5)])) == ["created"]
    assert codes(replace(chain[0], linked=False)) == ["created"]
    assert codes(replace(chain[1], postings=[Move("a", "b", 1)])) == ["id_already_failed"]


def test_failed_chain_may_be_sent_again_with_a_new_key_in_the_failed_ones_place() -> None:
    open_book("a", "b")
    codes(plain("funding", W, "a", 10))
    first = plain("c1", "a", "b", 1, linked=True)
    assert codes(first, plain("c2", "a", "b", 99)) == ["linked_event_failed", "exceeds_credits"]
    assert codes(first, plain("c2", "a", "b", 9)) == ["linked_event_failed", "id_already_failed"]
    assert codes(first, plain("c3", "a", "b", 9)) == ["created", "created"]
    assert balance("b") == (0, 10, 0, 0)


def test_repeat_exists_when_its_date_was_locked_meanwhile() -> None:
    open_book("a")
    item = plain("k", W, "a", 1, effective_at=NOON, refuse_locked=True)
    assert codes(item) == ["created"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock_period(%s::smallint, %s, 'x')", [number_of_test_book(), date(2025, 3, 10)])
    assert codes(item) == ["exists"]
    assert codes(replace(item, effective_at=None)) == ["exists"]
    assert codes(replace(item, key="other")) == ["period_locked"]
    assert codes(replace(item, key="other", effective_at=None)) == ["created"]
