"""The write door's answers, in TigerBeetle's words, as tables: a list of transactions and the code of each."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.ledger.door import (
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

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
OPEN = "linked_event_chain_open"
FAILED = "linked_event_failed"


class Case(NamedTuple):
    name: str
    items: Sequence[Item]
    codes: Sequence[str]


FUNDED = 100
"""What account `a` holds before each list; `b` and `c` hold nothing."""

TWO = [Move("a", "b", 60), Move("a", "c", 40)]

CASES = [
    #    case                                   list                                                     codes
    Case("plain", [plain("1", "a", "b", 100)], ["created"]),
    Case("plain beyond the balance", [plain("1", "a", "b", 101)], ["exceeds_credits"]),
    Case("amount 0", [plain("1", "a", "b", 0)], ["amount_must_not_be_zero"]),
    Case("negative amount", [plain("1", "a", "b", -1)], ["amount_must_not_be_zero"]),
    Case("no postings", [Item("1")], ["amount_must_not_be_zero"]),
    Case("no postings in a reserve", [Item("1", phase="reserve")], ["amount_must_not_be_zero"]),
    Case("a fraction", [plain("1", "a", "b", "1.5")], ["overflows_amount"]),
    Case("not a number", [plain("1", "a", "b", "NaN")], ["overflows_amount"]),
    Case("infinite", [plain("1", "a", "b", "Infinity")], ["overflows_amount"]),
    Case("over u128", [plain("1", W, "b", MAXIMUM + 1)], ["overflows_amount"]),
    Case("all of u128", [plain("1", W, "b", MAXIMUM - FUNDED)], ["created"]),
    Case("same account", [plain("1", "a", "a", 1)], ["accounts_must_be_different"]),
    Case("no key", [plain("", "a", "b", 1)], ["id_must_not_be_zero"]),
    Case("null key", [Item(None, [Move("a", "b", 1)])], ["id_must_not_be_zero"]),
    Case("key of 255", [plain("k" * 255, "a", "b", 1)], ["created"]),
    Case("key of 256", [plain("k" * 256, "a", "b", 1)], ["id_must_not_be_too_long"]),
    Case("a sweep's key", [plain("expire:1", "a", "b", 1)], ["id_must_not_be_reserved"]),
    Case("no event type", [plain("1", "a", "b", 1, event_type=None)], ["code_must_not_be_zero"]),
    Case("unknown phase", [plain("1", "a", "b", 1, phase="both")], ["flags_are_mutually_exclusive"]),
    Case("unknown debited", [plain("1", "x", "b", 1)], ["debit_account_not_found"]),
    Case("unknown credited", [plain("1", "a", "x", 1)], ["credit_account_not_found"]),
    Case("account of another asset", [Item("1", [Move("a", "b", 1, "USD")])], ["debit_account_not_found"]),
    Case("timeout of a plain one", [plain("1", "a", "b", 1, timeout=1)], ["timeout_reserved_for_pending_transfer"]),
    Case("timeout below 0", [reserve("1", "a", "b", 1, timeout=-1)], ["overflows_timeout"]),
    Case("timeout over u32", [reserve("1", "a", "b", 1, timeout=2**32)], ["overflows_timeout"]),
    Case("longest timeout", [reserve("1", "a", "b", 1, timeout=2**32 - 1)], ["created"]),
    Case("a hold named by a plain one", [plain("1", "a", "b", 1, hold="x")], ["pending_id_must_be_zero"]),
    Case("no hold named", [Item("1", phase="settle")], ["pending_id_must_not_be_zero"]),
    Case("itself as hold", [settle("1", "1")], ["pending_id_must_be_different"]),
    Case(
        "timeout of a settle",
        [reserve("1", "a", "b", 1), settle("2", "1", timeout=5)],
        ["created", "timeout_reserved_for_pending_transfer"],
    ),
    Case("no such hold", [settle("1", "x", Move("a", "b", 1))], ["pending_transfer_not_found"]),
    Case("release of no hold", [release("1", "x")], ["pending_transfer_not_found"]),
    Case(
        "a plain one as hold",
        [plain("1", "a", "b", 1), release("2", "1")],
        ["created", "pending_transfer_not_pending"],
    ),
    Case("reserve", [reserve("1", "a", "b", 100)], ["created"]),
    Case("reserve beyond the balance", [reserve("1", "a", "b", 101)], ["exceeds_credits"]),
    Case(
        "pending debits count",
        [reserve("1", "a", "b", 60), plain("2", "a", "b", 41), plain("3", "a", "b", 40)],
        ["created", "exceeds_credits", "created"],
    ),
    Case(
        "pending credits are never spent",
        [reserve("1", "a", "b", 60), plain("2", "b", "c", 1)],
        ["created", "exceeds_credits"],
    ),
    Case("settle whole", [Item("1", TWO, "reserve"), settle("2", "1", *TWO)], ["created", "created"]),
    Case(
        "settle at the maximum",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("a", "b", MAXIMUM), Move("a", "c", MAXIMUM))],
        ["created", "created"],
    ),
    Case("settle a part", [Item("1", TWO, "reserve"), settle("2", "1", Move("a", "b", 1))], ["created", "created"]),
    Case("settle nothing", [Item("1", TWO, "reserve"), settle("2", "1")], ["created", "created"]),
    Case(
        "settle beyond its pending",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("a", "c", 41))],
        ["created", "exceeds_pending_transfer_amount"],
    ),
    Case(
        "settle one pending twice",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("a", "c", 20), Move("a", "c", 21))],
        ["created", "exceeds_pending_transfer_amount"],
    ),
    Case(
        "settle from another account",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("b", "c", 1))],
        ["created", "pending_transfer_has_different_debit_account_id"],
    ),
    Case(
        "settle to another account",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("a", W, 1))],
        ["created", "pending_transfer_has_different_credit_account_id"],
    ),
    Case(
        "settle to an unknown account",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("a", "x", 1))],
        ["created", "credit_account_not_found"],
    ),
    Case("release", [Item("1", TWO, "reserve"), release("2", "1")], ["created", "created"]),
    Case(
        "release with postings",
        [Item("1", TWO, "reserve"), release("2", "1", postings=TWO)],
        ["created", "pending_transfer_has_different_amount"],
    ),
    Case(
        "settled twice",
        [Item("1", TWO, "reserve"), settle("2", "1", *TWO), settle("3", "1", *TWO)],
        ["created", "created", "pending_transfer_already_posted"],
    ),
    Case(
        "released after the settle",
        [Item("1", TWO, "reserve"), settle("2", "1", *TWO), release("3", "1")],
        ["created", "created", "pending_transfer_already_posted"],
    ),
    Case(
        "settled after the release",
        [Item("1", TWO, "reserve"), release("2", "1"), settle("3", "1", *TWO)],
        ["created", "created", "pending_transfer_already_voided"],
    ),
    Case(
        "beyond its pending comes before already posted",
        [Item("1", TWO, "reserve"), settle("2", "1", *TWO), settle("3", "1", Move("a", "b", 61))],
        ["created", "created", "exceeds_pending_transfer_amount"],
    ),
    Case("chain", [plain("1", "a", "b", 60, linked=True), plain("2", "b", "c", 60)], ["created", "created"]),
    Case(
        "chain with a failure",
        [plain("1", "a", "b", 60, linked=True), plain("2", "a", "b", 41, linked=True), plain("3", "a", "b", 1)],
        [FAILED, "exceeds_credits", FAILED],
    ),
    Case(
        "a failed chain's money is free again",
        [plain("1", "a", "b", 60, linked=True), plain("2", "a", "b", 41), plain("3", "a", "b", 100)],
        [FAILED, "exceeds_credits", "created"],
    ),
    Case(
        "a failed chain leaves holds open",
        [
            reserve("1", "a", "b", 60),
            settle("2", "1", Move("a", "b", 60), linked=True),
            plain("3", "b", "c", 61),
            release("4", "1"),
        ],
        ["created", FAILED, "exceeds_credits", "created"],
    ),
    Case(
        "a hold of a failed chain is none",
        [reserve("1", "a", "b", 60, linked=True), plain("2", "b", "c", 1), release("3", "1")],
        [FAILED, "exceeds_credits", "pending_transfer_not_found"],
    ),
    Case("chain left open", [plain("1", "a", "b", 1, linked=True)], [OPEN]),
    Case(
        "chain left open after a part",
        [plain("1", "a", "b", 1, linked=True), plain("2", "a", "b", 1, linked=True)],
        [FAILED, OPEN],
    ),
    Case(
        "chain left open that had failed already",
        [plain("1", "a", "b", 101, linked=True), plain("2", "a", "b", 1, linked=True)],
        ["exceeds_credits", OPEN],
    ),
    Case(
        "malformed within a chain",
        [plain("1", "a", "b", 1, linked=True), plain("2", "a", "b", 0), plain("3", "a", "b", 1)],
        [FAILED, "amount_must_not_be_zero", "created"],
    ),
    Case(
        "two chains",
        [
            plain("1", "a", "b", 101, linked=True),
            plain("2", "a", "b", 1),
            plain("3", "a", "b", 1, linked=True),
            plain("4", "a", "b", 1),
        ],
        ["exceeds_credits", FAILED, "created", "created"],
    ),
    Case("repeat in the list", [plain("1", "a", "b", 1), plain("1", "a", "b", 1)], ["created", "exists"]),
    Case(
        "other amount in the list",
        [plain("1", "a", "b", 1), plain("1", "a", "b", 2)],
        ["created", "exists_with_different_amount"],
    ),
    Case(
        "amount 0 for a key that is there",
        [plain("1", "a", "b", 1), plain("1", "a", "b", 0)],
        ["created", "exists_with_different_amount"],
    ),
    Case(
        "repeat of a failure in the list",
        [plain("1", "a", "b", 101), plain("1", "a", "b", 1)],
        ["exceeds_credits", "id_already_failed"],
    ),
    Case(
        "repeat of a malformed one in the list",
        [plain("1", "a", "b", 0), plain("1", "a", "b", 1), plain("1", "a", "b", 1)],
        ["amount_must_not_be_zero", "created", "exists"],
    ),
    Case(
        "a repeat breaks its chain",
        [plain("1", "a", "b", 1, linked=True), plain("1", "a", "b", 1)],
        [FAILED, "exists"],
    ),
    Case(
        "a failed chain leaves its keys free but for the one that failed",
        [
            plain("1", "a", "b", 1, linked=True),
            plain("2", "a", "b", 101),
            plain("1", "a", "b", 1),
            plain("2", "a", "b", 1),
            plain("1", "a", "b", 1),
        ],
        [FAILED, "exceeds_credits", "created", "id_already_failed", "exists"],
    ),
    Case(
        "repeat of a settle in the list",
        [Item("1", TWO, "reserve"), settle("2", "1", Move("a", "b", 7)), settle("2", "1", Move("a", "b", 7))],
        ["created", "created", "exists"],
    ),
    Case(
        "many in one transaction, one of them too much",
        [Item("1", [Move("a", "b", 50), Move("a", "c", 50), Move("b", W, 51)]), plain("2", "a", "b", 100)],
        ["exceeds_credits", "created"],
    ),
    Case("within one transaction", [Item("1", [Move("a", "b", 100), Move("b", "c", 100)])], ["created"]),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_list_is_answered_item_by_item(case: Case) -> None:
    open_book("a", "b", "c")
    assert codes(plain("funding", W, "a", FUNDED)) == ["created"]
    assert codes(*case.items) == list(case.codes)
    _books_balance()


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if len(case.items) > 1 and not any(item.linked for item in case.items)],
    ids=lambda case: case.name,
)
def test_answers_are_the_same_one_call_at_a_time(case: Case) -> None:
    open_book("a", "b", "c")
    codes(plain("funding", W, "a", FUNDED))
    assert [codes(item)[0] for item in case.items] == list(case.codes)
    _books_balance()


def test_nothing_is_written_when_all_is_refused() -> None:
    open_book("a", "b")
    before = counts()
    refused = results(
        plain("1", "a", "b", 0), Item("2", [Move("a", "a", 1)]), settle("3", "1"), plain("4", "a", "b", 1)
    )
    assert [(r.code, r.failed_position) for r in refused] == [
        ("amount_must_not_be_zero", 0),
        ("accounts_must_be_different", 0),
        ("pending_transfer_not_found", None),
        ("exceeds_credits", 0),
    ]
    assert [r.transaction_id for r in refused] == [None] * 4
    assert counts() == {**before, "ledger_key": 2}  # the two that failed for transient reasons


def test_failed_position_counts_the_postings_of_its_item() -> None:
    open_book("a", "b")
    answer = results(plain("0", W, "a", 5), Item("1", [Move("a", "b", 5), Move("b", "a", 5), Move("b", "a", 1)]))
    assert (answer[1].code, answer[1].failed_position) == ("exceeds_credits", 2)


def test_the_other_rule_when_credits_must_not_exceed_debits() -> None:
    open_book("bank", kind=NEVER_CREDITED_BEYOND)
    assert codes(
        plain("1", "bank", W, 100),
        reserve("2", W, "bank", 60),
        plain("3", W, "bank", 41),
        plain("4", W, "bank", 40),
        reserve("5", W, "bank", 1),
        reserve("6", "bank", W, 50),
        plain("7", W, "bank", 1),
    ) == ["created", "created", "exceeds_debits", "created", "exceeds_debits", "created", "exceeds_debits"]
    assert balance("bank") == (100, 40, 50, 60)
    assert codes(plain("8", W, "bank", 1)) == ["exceeds_debits"]
    assert codes(release("9", "2")) == ["created"]
    assert codes(plain("10", W, "bank", 60)) == ["created"]


@pytest.mark.parametrize("first_call", [True, False], ids=["by themselves", "in one list"])
def test_balances_end_at_u128(first_call: bool) -> None:
    open_book("a")
    items = [
        plain("1", W, "a", MAXIMUM),
        plain("2", W, "a", 1),
        reserve("3", W, "a", 1),
        plain("4", "a", W, MAXIMUM - 1),
        reserve("5", "a", W, 1),
    ]
    expected = ["created", "overflows_debits_posted", "overflows_debits", "created", "created"]
    assert (codes(*items) if not first_call else [codes(item)[0] for item in items]) == expected
    assert balance("a") == (MAXIMUM - 1, MAXIMUM, 1, 0)
    assert codes(plain("2", "a", W, 1)) == ["overflows_debits"]  # the overflow before had burnt no key


@pytest.mark.parametrize("credited", [True, False], ids=["credits", "debits"])
def test_each_of_the_four_balances_and_their_sums_end_at_u128(credited: bool) -> None:
    """What a list adds to one side of an account without a rule: posted, pending, and both together."""
    side = "credits" if credited else "debits"

    def pair(other: str) -> tuple[str, str]:
        return (other, W) if credited else (W, other)

    open_book("bank", "drain", "other", kind=FREE)
    assert codes(reserve("p", *pair("bank"), MAXIMUM)) == ["created"]
    assert codes(reserve("q", *pair("drain"), 1)) == [f"overflows_{side}_pending"]
    assert codes(plain("s", *pair("drain"), 1)) == [f"overflows_{side}"]
    assert codes(release("r", "p"), plain("t", *pair("drain"), MAXIMUM)) == ["created", "created"]
    assert codes(plain("u", *pair("other"), 1)) == [f"overflows_{side}_posted"]
    assert codes(reserve("v", *pair("other"), 1)) == [f"overflows_{side}"]


def _books_balance() -> None:
    total = [balance(address) for address in (W, "a", "b", "c")]
    assert sum(t[0] for t in total) == sum(t[1] for t in total)
    assert sum(t[2] for t in total) == sum(t[3] for t in total)
    assert all(dp + dq <= cp for dp, cp, dq, _ in total[1:])
