"""Closing and balancing, as TigerBeetle's reference has them: a closed account takes nothing but the end of its holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import expiry, journal, verify
from ledger.controls import clock
from ledger.drafts import Draft, Flag
from ledger.money import Money
from tests.ledger.door import (
    ENVIRONMENT,
    FREE,
    MAXIMUM,
    NEVER_CREDITED_BEYOND,
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
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
START = datetime(2025, 3, 10, 12, tzinfo=UTC)
DEBIT, CREDIT = "debit_account_already_closed", "credit_account_already_closed"
CLOSE = ("closing_debit",)
EMPTY = ("balancing_debit",)
FILL = ("balancing_credit",)


def _close(key: str, account: str, amount: int = 0, **more: object) -> Item:
    return reserve(key, account, W, amount, flags=CLOSE, **more)


CLOSED = [
    # what comes to the closed account a, which has an open hold                      the answer
    (plain("k", "a", "b", 1), DEBIT),
    (plain("k", "b", "a", 1), CREDIT),
    (plain("k", "x", "a", 1), "debit_account_not_found"),
    (plain("k", "a", "b", 10**6), DEBIT),  # before what it exceeds
    (reserve("k", "a", "b", 1), DEBIT),
    (reserve("k", "b", "a", 1), CREDIT),
    (plain("k", "a", "b", 5, flags=EMPTY), DEBIT),
    (_close("k", "a"), DEBIT),
    (reserve("k", W, "a", 0, flags=("closing_credit",)), CREDIT),
    (settle("k", "hold", Move("a", "b", 4)), DEBIT),
    (settle("k", "hold", Move("a", "b", MAXIMUM)), DEBIT),
    (settle("k", "hold", Move("a", "b", 5)), "exceeds_pending_transfer_amount"),
    (settle("k", "to", Move("b", "a", 4)), CREDIT),
    (settle("k", "close", Move("a", W, 1)), "exceeds_pending_transfer_amount"),
    (settle("k", "hold"), "created"),
    (release("k", "hold"), "created"),
    (release("k", "to"), "created"),
    (plain("k", "b", "c", 1), "created"),
]


@pytest.mark.parametrize("several", [False, True], ids=["by itself", "in a list"])
@pytest.mark.parametrize("item,code", CLOSED)
def test_closed_account_takes_nothing_but_the_end_of_its_holds(item: Item, code: str, several: bool) -> None:
    open_book("a", "b", "c")
    codes(plain("1", W, "a", 100), plain("2", W, "b", 100), reserve("hold", "a", "b", 4), reserve("to", "b", "a", 4))
    assert codes(_close("close", "a")) == ["created"]
    before = (balance("a"), balance("b"), counts())
    items = [item, plain("other", W, "c", 1)] if several else [item]
    with db_transaction.atomic():
        assert codes(*items)[0] == code
        if code != "created" and not several:
            burnt = code in (DEBIT, CREDIT, "debit_account_not_found")
            assert (balance("a"), balance("b")) == before[:2]
            assert counts() == {**before[2], "ledger_key": before[2]["ledger_key"] + burnt}
            assert codes(item) == ["id_already_failed" if burnt else code]
    assert _closed() == ["a"]
    assert _sound()


def test_account_opens_again_when_the_hold_that_closed_it_is_settled_with_nothing() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 10), _close("close", "a", 3))
    assert codes(settle("nothing", "close")) == ["created"]
    assert (balance("a"), _closed(), _sound()) == ((0, 10, 0, 0), [], True)
    assert codes(plain("2", "a", "b", 10)) == ["created"]


def test_account_opens_again_when_the_hold_that_closed_it_is_voided() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 10), _close("close", "a", 3))
    assert balance("a") == (0, 10, 3, 0)
    assert codes(plain("2", "a", "b", 1)) == [DEBIT]
    assert codes(settle("s", "close", Move("a", W, 3))) == [DEBIT]
    assert codes(release("open", "close")) == ["created"]
    assert _closed() == []
    assert codes(plain("3", "a", "b", 10), plain("4", "b", "a", 1)) == ["created"] * 2
    assert codes(release("again", "close")) == ["pending_transfer_already_voided"]
    assert codes(_close("close2", "a"), plain("5", W, "a", 1)) == ["created", CREDIT]
    assert codes(release("open2", "close2"), plain("6", W, "a", 1)) == ["created", "created"]
    assert _sound()


def test_account_opens_again_when_the_hold_that_closed_it_expires() -> None:
    open_book("a")
    assert codes(_close("close", "a", timeout=30), now=START) == ["created"]
    later = START + timedelta(seconds=30)
    assert codes(plain("1", W, "a", 1), now=later) == [CREDIT]  # until the sweep
    with clock.use(clock.FixedClock(later)):
        assert expiry.expire() == 1
    assert codes(plain("2", W, "a", 1), now=later) == ["created"]
    assert _sound()


def test_both_sides_and_accounts_without_a_rule_can_be_closed() -> None:
    open_book("a")
    open_book("free", kind=FREE)
    both = reserve("close", "free", "a", 7, flags=("closing_debit", "closing_credit"))
    assert codes(both) == ["created"]
    assert _closed() == ["a", "free"]
    assert codes(plain("1", W, "free", 1), plain("2", W, "a", 1)) == [CREDIT, CREDIT]
    assert codes(both, replace(both, flags=CLOSE)) == ["exists", "exists_with_different_flags"]
    assert codes(release("open", "close")) == ["created"]
    assert codes(plain("3", "free", "a", 1)) == ["created"]
    assert _sound()


def test_closing_is_undone_with_its_chain() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 10))
    chain = [_close("c1", "a", linked=True), plain("c2", W, "b", 1, linked=True), plain("c3", "b", W, 99)]
    assert codes(*chain, plain("2", "a", "b", 1)) == ["linked_event_failed"] * 2 + ["exceeds_credits", "created"]
    codes(_close("close", "a"))
    chain = [release("r1", "close", linked=True), plain("r2", "a", "b", 1, linked=True), plain("r3", "a", "b", 99)]
    assert codes(*chain) == ["linked_event_failed"] * 2 + ["exceeds_credits"]
    assert _closed() == ["a"]
    assert codes(plain("3", "a", "b", 1)) == [DEBIT]
    reopening = [release("r4", "close", linked=True), plain("r5", "a", "b", 1)]
    assert codes(*reopening) == ["created", "created"]
    assert _closed() == []
    assert _sound()


def test_transaction_may_not_use_what_its_own_earlier_posting_closed() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 10))
    twice = results(Item("k", [Move("a", "b", 1), Move("a", W, 1)], "reserve", flags=CLOSE))[0]
    assert (twice.code, twice.failed_position) == (DEBIT, 1)
    assert _closed() == []
    assert balance("a") == (0, 10, 0, 0)


FLAGS = [
    (plain("k", "a", "b", 1, flags=["closing_debit"]), "closing_transfer_must_be_pending"),
    (plain("k", "a", "b", 1, flags=["closing_credit", "balancing_debit"]), "closing_transfer_must_be_pending"),
    (settle("k", "hold", flags=["closing_debit"]), "flags_are_mutually_exclusive"),
    (release("k", "hold", flags=["balancing_credit"]), "flags_are_mutually_exclusive"),
    (settle("k", "hold", Move("a", "b", 1), flags=["balancing_debit"]), "flags_are_mutually_exclusive"),
    (plain("k", "a", "b", 1, flags=["imported"]), "reserved_flag"),
    (plain("k", "a", "b", 1, flags=["balancing_debit", "x"]), "reserved_flag"),
    (plain("k", "a", "b", 0), "amount_must_not_be_zero"),
    (reserve("k", "a", "b", 0), "amount_must_not_be_zero"),
    (reserve("k", "a", "b", -1, flags=CLOSE), "amount_must_not_be_zero"),
]


@pytest.mark.parametrize("item,code", FLAGS)
def test_flags_that_cannot_be_are_refused_and_burn_no_key(item: Item, code: str) -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100), reserve("hold", "a", "b", 4))
    before = (counts(), balance("a"))
    assert codes(item) == [code]
    assert (counts(), balance("a")) == before


BALANCING = [
    # a holds 100, 30 of it pending; n may be credited up to 50        takes   code
    (plain("k", "a", "b", MAXIMUM, flags=EMPTY), [70], "created"),
    (plain("k", "a", "b", 70, flags=EMPTY), [70], "created"),
    (plain("k", "a", "b", 5, flags=EMPTY), [5], "created"),
    (plain("k", "e", "b", 5, flags=EMPTY), [0], "created"),  # an empty account gives 0
    (reserve("k", "a", "b", 1000, flags=EMPTY), [70], "created"),
    (plain("k", "a", "n", 1000, flags=FILL), [50], "created"),
    (plain("k", W, "n", 1000, flags=FILL), [50], "created"),
    (plain("k", "a", "n", 1000, flags=(*EMPTY, *FILL)), [50], "created"),
    (plain("k", "a", "b", 1000, flags=FILL), [0], "created"),  # b owes nothing
    (plain("k", W, "b", 7, flags=EMPTY), [0], "created"),  # what the world gave is more than it has
    (plain("k", "free", "b", 1000, flags=EMPTY), [20], "created"),  # without a rule, with open deltas
    (plain("k", "e", "n", 1000, flags=FILL), None, "exceeds_credits"),
    (plain("k", "x", "b", 5, flags=EMPTY), None, "debit_account_not_found"),
    (Item("k", [Move("a", "b", 60), Move("a", "c", 60)], flags=EMPTY), [60, 10], "created"),
    (reserve("k", "a", W, MAXIMUM, flags=(*EMPTY, "closing_debit")), [70], "created"),
]


@pytest.mark.parametrize("item,takes,code", BALANCING)
def test_balancing_takes_what_the_balance_allows_and_says_so(item: Item, takes: list[int] | None, code: str) -> None:
    open_book("a", "b", "c", "e")
    open_book("n", kind=NEVER_CREDITED_BEYOND)
    open_book("free", kind=FREE)
    codes(plain("1", W, "a", 100), reserve("hold", "a", "b", 30), plain("2", "n", W, 50), plain("3", W, "free", 20))
    (answer,) = results(item)
    assert (answer.code, answer.amounts) == (code, takes)
    if takes is not None:
        assert _posted("k") == takes
        (repeat,) = results(item)
        assert (repeat.code, repeat.transaction_id, repeat.amounts) == ("exists", answer.transaction_id, takes)
        assert _posted("k") == takes
    assert _sound()


REPEATS = [
    # stood: 70 of 80 asked          asked now      same list or later
    (80, "exists"),
    (70, "exists"),
    (MAXIMUM, "exists"),
    (69, "exists_with_different_amount"),
    (0, "exists_with_different_amount"),
]


@pytest.mark.parametrize("together", [False, True], ids=["later call", "same list"])
@pytest.mark.parametrize("asked,code", REPEATS)
def test_balancing_repeat_may_ask_for_more_than_was_taken(asked: int, code: str, together: bool) -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 70))
    first, second = plain("k", "a", "b", 80, flags=EMPTY), plain("k", "a", "b", asked, flags=EMPTY)
    answers = results(first, second) if together else [*results(first), *results(second)]
    assert [answer.code for answer in answers] == ["created", code]
    assert answers[1].amounts == ([70] if code == "exists" else None)
    assert codes(plain("k", "a", "b", 70)) == ["exists_with_different_flags"]
    assert codes(replace(first, flags=FILL)) == ["exists_with_different_flags"]
    assert (balance("a"), balance("b")) == ((70, 70, 0, 0), (0, 70, 0, 0))


def test_account_is_emptied_and_closed_in_one_chain() -> None:
    """TigerBeetle's recipe for closing an account."""
    open_book("a", "b")
    codes(plain("1", W, "a", 42))
    items = [plain("empty", "a", "b", MAXIMUM, flags=EMPTY, linked=True), _close("close", "a")]
    answers = results(*items)
    assert [(a.code, a.amounts) for a in answers] == [("created", [42]), ("created", None)]
    assert balance("a") == (42, 42, 0, 0)
    assert codes(plain("2", W, "a", 1)) == [CREDIT]
    # `exists` breaks a chain, as any other answer than `created` does
    assert [(a.code, a.amounts) for a in results(*items)] == [("exists", [42]), ("linked_event_failed", None)]
    assert _sound()


@pytest.mark.parametrize("kind", [None, FREE], ids=["ruled", "without a rule"])
def test_balance_is_taken_once_when_all_take_it_at_once(kind: object) -> None:
    open_book("b")
    open_book("a", **({"kind": kind} if kind else {}))  # type: ignore[arg-type]  # the default otherwise
    codes(plain("1", W, "a", 100))

    def taking(number: int) -> list[int]:
        (answer,) = results(plain(f"t{number}", "a", "b", 80, flags=EMPTY))
        assert answer.code == "created"
        return [int(amount) for amount in answer.amounts or ()]

    ends = raise_first(run_threads(*(lambda n=n: taking(n) for n in range(6))))
    assert sorted(amount for end in ends for amount in end) == [0, 0, 0, 0, 20, 80]
    assert balance("a") == (100, 100, 0, 0)


def test_nothing_is_posted_after_the_closing_when_all_post_at_once() -> None:
    """Also to an account without a rule, which no posting locks: what the closing emptied stays empty."""
    open_book("b")
    open_book("free", kind=FREE)

    def posting(number: int) -> list[str]:
        return [codes(plain(f"{number}:{n}", W, "free", 1))[0] for n in range(40)]

    def closing() -> list[str]:
        while balance("free")[1] < 5:
            pass
        codes(plain("empty", "free", "b", MAXIMUM, flags=EMPTY, linked=True), _close("close", "free"))
        return []

    ends = raise_first(run_threads(lambda: posting(1), closing, lambda: posting(2), lambda: posting(3), timeout=60))
    seen = [code for answers in ends for code in answers]
    assert set(seen) == {"created", CREDIT}
    taken = seen.count("created")
    assert balance("free") == (taken, taken, 0, 0)
    for answers in (ends[0], ends[2], ends[3]):
        assert answers == sorted(answers, key=lambda code: code == CREDIT)  # once closed, always closed
    assert _sound()


def test_draft_carries_its_flags_through_the_write_door() -> None:
    open_book("a")
    codes(plain("1", "@world", "a", 5))

    def draft(key: str, amount: int, *flags: Flag) -> Draft:
        return Draft(
            event_type="OPENING_BALANCE",
            key=key,
            subject="",
            amounts={"amount": Money(amount, "EUR")},
            accounts={"world": "a", "account": W},
            flags=frozenset(flags),
        )

    taken, nothing, refused = journal.post(
        environment=ENVIRONMENT,
        drafts=[
            draft("k1", 9, Flag.BALANCING_DEBIT),
            draft("k2", 9, Flag.BALANCING_DEBIT),
            draft("k3", 1, Flag.CLOSING_DEBIT),
        ],
    )
    assert (taken.code, taken.amounts) == ("created", (5,))
    assert (nothing.code, nothing.amounts) == ("created", (0,))
    assert refused.code == "closing_transfer_must_be_pending"


def _closed() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT a.address FROM ledger_closure c JOIN ledger_account a ON a.id = c.account_id ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def _posted(key: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.amount_minor FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id"
            " WHERE t.key = %s ORDER BY p.position",
            [key],
        )
        return [int(row[0]) for row in cursor.fetchall()]


def _sound() -> bool:
    return [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []
