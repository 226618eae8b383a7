"""The contract of the write door, as tests that any engine behind it has to pass: TigerBeetle's transfers, and lists.

An engine is whatever `Engine` says. A subclass of `LedgerContract` gives one in its fixture `engine`; nothing here knows
SQL. Account `w` has no rule; `a`, `b`, `c` may not owe; `n` may not be credited beyond its debits. `a` begins with 100.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

import pytest

from tests.ledger.door import MAXIMUM, Item, Move, Result, plain, release, reserve, settle

NOW = datetime(2025, 3, 10, 12, tzinfo=UTC)
Balances = tuple[int, int, int, int]


class Engine(Protocol):
    """What the contract needs of an engine. All takes place at the instant it is told."""

    def open(self, address: str, rule: str) -> None:
        """Open an account in EUR; `rule` is "", "debits" (must not exceed credits) or "credits"."""

    def post(self, items: Sequence[Item], now: datetime) -> list[Result]:
        """Post a list and commit; one result per item."""

    def post_and_roll_back(self, items: Sequence[Item], now: datetime) -> list[Result]:
        """Post a list and roll back, as a saga step that is refused."""

    def sweep(self, now: datetime) -> None:
        """End the holds whose timeout has passed."""

    def balances(self, address: str) -> Balances:
        """Return debits and credits posted, debits and credits pending."""

    def at_once(self, *work: Callable[[], list[Result]]) -> list[list[Result]]:
        """Run all at once, each on a connection of its own."""


class Sentence(NamedTuple):
    """Lists posted one after the other, the codes of the last, and what it leaves on accounts."""

    says: str
    lists: Sequence[Sequence[Item]]
    codes: Sequence[str]
    leaves: dict[str, Balances]


LINK, OPEN = "linked_event_failed", "linked_event_chain_open"
HOLD = reserve("h", "a", "b", 60, timeout=30)
CLOSE = reserve("close", "a", "w", 0, flags=["closing_debit"])
EMPTY = ["balancing_debit"]

SENTENCES = [
    Sentence("a plain transfer counts at once", [[plain("1", "a", "b", 40)]], ["created"], {"b": (0, 40, 0, 0)}),
    Sentence(
        "debits may not exceed credits", [[plain("1", "a", "b", 101)]], ["exceeds_credits"], {"a": (0, 100, 0, 0)}
    ),
    Sentence("credits may not exceed debits", [[plain("1", "w", "n", 1)]], ["exceeds_debits"], {"n": (0, 0, 0, 0)}),
    Sentence("pending debits count", [[HOLD, plain("1", "a", "c", 41)]], ["created", "exceeds_credits"], {}),
    Sentence("pending credits are not spent", [[HOLD, plain("1", "b", "c", 1)]], ["created", "exceeds_credits"], {}),
    Sentence("a hold is pending on both sides", [[HOLD]], ["created"], {"a": (0, 100, 60, 0), "b": (0, 0, 0, 60)}),
    Sentence(
        "a hold is posted whole", [[HOLD], [settle("s", "h", Move("a", "b", 60))]], ["created"], {"a": (60, 100, 0, 0)}
    ),
    Sentence(
        "the maximum posts the whole",
        [[HOLD], [settle("s", "h", Move("a", "b", MAXIMUM))]],
        ["created"],
        {"b": (0, 60, 0, 0)},
    ),
    Sentence(
        "of a hold posted in part the rest returns",
        [[HOLD], [settle("s", "h", Move("a", "b", 1))]],
        ["created"],
        {"a": (1, 100, 0, 0), "b": (0, 1, 0, 0)},
    ),
    Sentence(
        "a void returns all", [[HOLD], [release("v", "h")]], ["created"], {"a": (0, 100, 0, 0), "b": (0, 0, 0, 0)}
    ),
    Sentence(
        "a hold ends once",
        [[HOLD], [settle("s", "h", Move("a", "b", 60)), settle("t", "h", Move("a", "b", 1)), release("v", "h")]],
        ["created", "pending_transfer_already_posted", "pending_transfer_already_posted"],
        {"a": (60, 100, 0, 0)},
    ),
    Sentence(
        "a voided hold cannot be posted",
        [[HOLD, release("v", "h"), settle("s", "h", Move("a", "b", 1))]],
        ["created", "created", "pending_transfer_already_voided"],
        {"a": (0, 100, 0, 0)},
    ),
    Sentence(
        "no more is posted than is pending",
        [[HOLD], [settle("s", "h", Move("a", "b", 61))]],
        ["exceeds_pending_transfer_amount"],
        {"a": (0, 100, 60, 0)},
    ),
    Sentence(
        "a hold is posted between its own accounts",
        [[HOLD], [settle("s", "h", Move("c", "b", 1)), settle("s", "h", Move("a", "c", 1))]],
        ["pending_transfer_has_different_debit_account_id", "pending_transfer_has_different_credit_account_id"],
        {"a": (0, 100, 60, 0)},
    ),
    Sentence(
        "only a hold can be ended",
        [[plain("1", "a", "b", 1), release("v", "1"), release("x", "nothing")]],
        ["created", "pending_transfer_not_pending", "pending_transfer_not_found"],
        {},
    ),
    Sentence(
        "the first failure of a chain is named",
        [[plain("1", "a", "b", 1, linked=True), plain("2", "a", "b", 100, linked=True), plain("3", "a", "b", 1)]],
        [LINK, "exceeds_credits", LINK],
        {"a": (0, 100, 0, 0)},
    ),
    Sentence(
        "what stands beside a chain stands alone",
        [[plain("1", "a", "b", 1, linked=True), plain("2", "a", "b", 100), plain("3", "a", "b", 1)]],
        [LINK, "exceeds_credits", "created"],
        {"a": (1, 100, 0, 0)},
    ),
    Sentence("a chain may not be open", [[plain("1", "a", "b", 1, linked=True)]], [OPEN], {"a": (0, 100, 0, 0)}),
    Sentence(
        "the postings of a transaction are linked",
        [[Item("1", [Move("a", "b", 60), Move("a", "c", 60)])]],
        ["exceeds_credits"],
        {"a": (0, 100, 0, 0), "b": (0, 0, 0, 0)},
    ),
    Sentence("the same is posted once", [[plain("1", "a", "b", 1)]] * 2, ["exists"], {"a": (1, 100, 0, 0)}),
    Sentence(
        "a repeat in the list exists too",
        [[plain("1", "a", "b", 1), plain("1", "a", "b", 1)]],
        ["created", "exists"],
        {"a": (1, 100, 0, 0)},
    ),
    Sentence(
        "another under the same key is named",
        [
            [plain("1", "a", "b", 1)],
            [
                reserve("1", "a", "b", 1),
                plain("1", "c", "b", 1),
                plain("1", "a", "c", 1),
                plain("1", "a", "b", 2),
                plain("1", "a", "b", 1, subject="other"),
                plain("1", "a", "b", 1, event_type="OTHER"),
                plain("1", "a", "b", 1, timeout=1),
                release("1", "h"),
            ],
        ],
        [
            f"exists_with_different_{what}"
            for what in (
                *("flags", "debit_account_id", "credit_account_id", "amount", "user_data", "code", "timeout", "flags"),
            )
        ],
        {"a": (1, 100, 0, 0)},
    ),
    Sentence(
        "a key stays failed after a transient failure",
        [[plain("1", "a", "b", 101)], [plain("more", "w", "a", 100)], [plain("1", "a", "b", 101)]],
        ["id_already_failed"],
        {"a": (0, 200, 0, 0)},
    ),
    Sentence(
        "a key is free after any other failure",
        [[plain("1", "a", "a", 1), reserve("2", "a", "b", 1, timeout=-1)], [plain("1", "a", "b", 1), HOLD]],
        ["created", "created"],
        {"a": (1, 100, 60, 0)},
    ),
    Sentence(
        "amounts end at 2^128 - 1",
        [[plain("1", "w", "b", MAXIMUM - 100), plain("2", "w", "b", 1), plain("3", "w", "c", MAXIMUM + 1)]],
        ["created", "overflows_debits_posted", "overflows_amount"],
        {"b": (0, MAXIMUM - 100, 0, 0)},
    ),
    Sentence(
        "a closed account takes nothing",
        [[CLOSE], [plain("1", "a", "b", 1), plain("2", "w", "a", 1)]],
        ["debit_account_already_closed", "credit_account_already_closed"],
        {"a": (0, 100, 0, 0)},
    ),
    Sentence(
        "a closing hold opens its account when it is voided, and cannot be posted",
        [[CLOSE], [settle("s", "close", Move("a", "w", MAXIMUM)), release("v", "close"), plain("1", "a", "b", 1)]],
        ["debit_account_already_closed", "created", "created"],
        {"a": (1, 100, 0, 0)},
    ),
    Sentence(
        "a closing transfer is pending",
        [[plain("1", "a", "b", 1, flags=["closing_credit"])]],
        ["closing_transfer_must_be_pending"],
        {"a": (0, 100, 0, 0)},
    ),
    Sentence(
        "balancing takes what is there, perhaps nothing",
        [[HOLD, plain("1", "a", "c", 1000, flags=EMPTY), plain("2", "a", "c", 1000, flags=EMPTY)]],
        ["created", "created", "created"],
        {"a": (40, 100, 60, 0), "c": (0, 40, 0, 0)},
    ),
    Sentence(
        "balancing gives what is owed",
        [[plain("0", "n", "w", 30), plain("1", "w", "n", 1000, flags=["balancing_credit"])]],
        ["created", "created"],
        {"n": (30, 30, 0, 0)},
    ),
    Sentence(
        "a balancing repeat may ask for more than was taken, not for less",
        [
            [plain("1", "a", "c", 1000, flags=EMPTY)],
            [plain("1", "a", "c", 100, flags=EMPTY), plain("1", "a", "c", 99, flags=EMPTY), plain("1", "a", "c", 100)],
        ],
        ["exists", "exists_with_different_amount", "exists_with_different_flags"],
        {"a": (100, 100, 0, 0)},
    ),
]


class LedgerContract:
    """Each engine's test class inherits this and gives the fixture `engine`."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _accounts(self, engine: Engine) -> None:
        for address, rule in (("w", ""), ("a", "debits"), ("b", "debits"), ("c", "debits"), ("n", "credits")):
            engine.open(address, rule)
        (funded,) = engine.post([plain("funding", "w", "a", 100)], NOW)
        assert funded.code == "created"

    @pytest.mark.parametrize("sentence", SENTENCES, ids=[sentence.says for sentence in SENTENCES])
    def test_it_does_what_the_sentence_says(self, engine: Engine, sentence: Sentence) -> None:
        answers: list[Result] = []
        for items in sentence.lists:
            answers = engine.post(items, NOW)
        assert [answer.code for answer in answers] == list(sentence.codes)
        assert {address: engine.balances(address) for address in sentence.leaves} == sentence.leaves

    @pytest.mark.parametrize("sentence", SENTENCES, ids=[sentence.says for sentence in SENTENCES])
    def test_nothing_is_left_of_a_list_that_is_rolled_back(self, engine: Engine, sentence: Sentence) -> None:
        *before, last = sentence.lists
        for items in before:
            engine.post(items, NOW)
        found = {address: engine.balances(address) for address in "wabcn"}
        rolled_back = engine.post_and_roll_back(last, NOW)
        assert [answer.code for answer in rolled_back] == list(sentence.codes)
        assert {address: engine.balances(address) for address in "wabcn"} == found
        assert [answer.code for answer in engine.post(last, NOW)] == list(sentence.codes)

    def test_hold_expires_at_its_very_instant_and_the_sweep_returns_it(self, engine: Engine) -> None:
        engine.post([HOLD, CLOSE], NOW)
        instant = NOW + timedelta(seconds=30)
        early = engine.post_and_roll_back([settle("s", "h")], instant - timedelta(microseconds=1))
        late = engine.post([settle("s", "h"), release("v", "h")], instant)
        assert [one.code for one in (*early, *late)] == ["created", *["pending_transfer_expired"] * 2]
        assert engine.balances("a") == (0, 100, 60, 0)
        engine.sweep(instant)
        engine.sweep(instant)
        assert engine.balances("a") == (0, 100, 0, 0)
        assert engine.balances("b") == (0, 0, 0, 0)
        assert [one.code for one in engine.post([release("v", "h")], instant)] == ["pending_transfer_expired"]

    def test_result_names_the_transaction_the_place_and_the_amounts(self, engine: Engine) -> None:
        first, second, third = engine.post(
            [
                Item("1", [Move("a", "b", 10), Move("a", "c", 1000)], flags=EMPTY),
                Item("2", [Move("w", "b", 1), Move("n", "b", 1), Move("x", "b", 1)]),
                plain("3", "w", "b", 1),
            ],
            NOW,
        )
        assert (first.failed_position, list(map(int, first.amounts or ()))) == (None, [10, 90])
        assert (second.code, second.failed_position, second.transaction_id) == ("debit_account_not_found", 2, None)
        assert (third.failed_position, third.amounts) == (None, None)
        (again,) = engine.post([plain("3", "w", "b", 1)], NOW)
        assert again.transaction_id == third.transaction_id != first.transaction_id

    def test_money_is_spent_once_when_all_spend_it_at_once(self, engine: Engine) -> None:
        ends = engine.at_once(*(lambda n=n: engine.post([plain(f"k{n}", "a", "b", 30)], NOW) for n in range(6)))
        assert sorted(one.code for end in ends for one in end) == ["created"] * 3 + ["exceeds_credits"] * 3
        assert engine.balances("a") == (90, 100, 0, 0)

    def test_key_is_posted_once_when_all_post_it_at_once(self, engine: Engine) -> None:
        ends = engine.at_once(*(lambda: engine.post([plain("k", "a", "b", 30)], NOW) for _ in range(6)))
        assert sorted(one.code for end in ends for one in end) == ["created"] + ["exists"] * 5
        assert len({one.transaction_id for end in ends for one in end}) == 1
        assert engine.balances("a") == (30, 100, 0, 0)

    def test_hold_ends_once_when_all_end_it_at_once(self, engine: Engine) -> None:
        engine.post([HOLD], NOW)
        ends = engine.at_once(
            *(lambda n=n: engine.post([settle(f"s{n}", "h", Move("a", "b", 10 + n))], NOW) for n in range(3)),
            *(lambda n=n: engine.post([release(f"v{n}", "h")], NOW) for n in range(3)),
        )
        codes = [one.code for end in ends for one in end]
        assert codes.count("created") == 1
        assert {*codes} - {"created"} <= {"pending_transfer_already_posted", "pending_transfer_already_voided"}
        assert engine.balances("a")[2] == 0
        assert engine.balances("a")[0] in (0, 10, 11, 12)

    def test_lists_in_any_order_do_not_deadlock(self, engine: Engine) -> None:
        engine.post([plain("fb", "w", "b", 1000), plain("fa", "w", "a", 900), plain("fc", "w", "c", 1000)], NOW)
        ways = [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a"), ("b", "a", "c")]

        def lists(number: int) -> list[Result]:
            one, two, three = ways[number]
            answers: list[Result] = []
            for n in range(10):
                items = [plain(f"{n}:{key}", one, two, 1) for key in (ways[number] if number % 2 else "xyz")]
                items = [*items, plain(f"{number}:{n}", two, three, 1), plain(f"{number}:{n}'", three, one, 1)]
                answers += engine.post(items[:: 1 if number < 2 else -1], NOW)
            return answers

        ends = engine.at_once(*(lambda n=n: lists(n) for n in range(4)))
        assert {one.code for end in ends for one in end} <= {
            "created",
            "exists",
            "exists_with_different_debit_account_id",
            "exists_with_different_credit_account_id",
        }
        assert sum(engine.balances(address)[1] - engine.balances(address)[0] for address in "wabcn") == 0
