"""The write door posts through the template version that stands, and through nothing else."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import balances, books, journal, verify
from ledger.chart import active
from ledger.chart.template import MissingParameter, TemplateFailed, UnknownParameter
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft, Posting
from ledger.models import LedgerKey, PostingTemplate, Transaction
from ledger.models import Posting as PostingRow
from ledger.money import Money
from tests.ledger.chart.finance import (
    BANK,
    ENVIRONMENT,
    MERCHANT,
    RECEIVABLE,
    activated,
    baseline,
    chargeback,
    codes,
    collection,
    open_accounts,
)
from tests.ledger.door import counts

pytestmark = pytest.mark.usefixtures("database")

HALF_TO_REVENUE = baseline("PAYIN_COLLECTION").replace(
    "destination = $revenue", "destination = { 1/2 to $revenue remaining to $revenue }"
)


def _balance(address: str) -> int:
    found = balances.read(environment=ENVIRONMENT, accounts=[(address, "EUR")])[address, "EUR"]
    return found.credits_posted - found.debits_posted


def _postings(key: str) -> list[tuple[str, str, int]]:
    rows = PostingRow.objects.filter(transaction__key=key).order_by("position")
    return [
        (row.debit_account.address, row.credit_account.address, int(row.amount_minor))
        for row in rows.select_related("debit_account", "credit_account")
    ]


def test_a_transaction_names_the_template_version_that_made_it() -> None:
    open_accounts()
    first = PostingTemplate.objects.get(environment="test", event_type="PAYIN_COLLECTION", state="active")
    assert codes(collection("before", 100)) == ["created"]
    assert codes(collection("list 1", 100), collection("list 2", 100, fee=5)) == ["created", "created"]
    second = activated("PAYIN_COLLECTION", HALF_TO_REVENUE)
    assert codes(collection("after", 100)) == ["created"]
    made = dict(Transaction.objects.values_list("key", "template_version"))
    assert made == {"before": first.pk, "list 1": first.pk, "list 2": first.pk, "after": second.pk}
    assert second.number == 2


def test_what_is_posted_follows_the_new_version_at_once_in_a_process_that_kept_the_old() -> None:
    open_accounts()
    codes(collection("one", 100, fee=4))
    kept = active.active(ENVIRONMENT)
    activated("PAYIN_COLLECTION", HALF_TO_REVENUE)
    assert active.active(ENVIRONMENT) is kept
    codes(collection("two", 100, fee=4))
    assert active.active(ENVIRONMENT) is not kept
    assert [amount for _, _, amount in _postings("one")] == [100, 4]
    assert [amount for _, _, amount in _postings("two")] == [100, 2, 2]


def test_a_refusal_by_what_a_process_kept_is_asked_again_of_what_stands(
    superuser_connection: psycopg.Connection[Any],
) -> None:
    open_accounts()
    retired = "UPDATE ledger_postingtemplate SET state = 'retired' WHERE event_type = 'PAYIN_COLLECTION'"
    superuser_connection.execute(retired)
    with pytest.raises(active.UnknownEventType):
        codes(collection("early", 100))
    superuser_connection.execute("ALTER TABLE ledger_postingtemplate DISABLE TRIGGER legal_move")
    superuser_connection.execute(
        "UPDATE ledger_postingtemplate SET state = 'active' WHERE event_type = 'PAYIN_COLLECTION'"
    )
    superuser_connection.execute("ALTER TABLE ledger_postingtemplate ENABLE TRIGGER legal_move")
    assert codes(collection("early", 100)) == ["created"]


def test_nothing_is_posted_with_an_outdated_stamp() -> None:
    open_accounts()
    codes(collection("one", 100))
    kept = active.active(ENVIRONMENT)
    arguments = [1, "[]", [], [], [], [], [], None, kept.stamp + 1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_book WHERE environment = 'test'")
        arguments[0] = cursor.fetchone()[0]
    items = '[{"key": "stale", "event_type": "PAYIN_COLLECTION", "phase": "plain", "subject": "x"}]'
    arguments[1:7] = [items, [1], [BANK], [MERCHANT], ["EUR"], [1]]
    assert journal._called(journal._CALL, arguments) == []
    assert not LedgerKey.objects.filter(key="stale").exists()
    arguments[8] = kept.stamp
    assert [row[0] for row in journal._called(journal._CALL, arguments)] == ["created"]


def test_nothing_is_posted_by_itself_with_an_outdated_stamp() -> None:
    open_accounts()
    codes(collection("one", 100))
    kept = active.active(ENVIRONMENT)
    arguments = [
        books.number_of(ENVIRONMENT),
        str(kept.stamp + 1),
        "stale",
        "PAYIN_COLLECTION",
        "plain",
        "x",
        "{}",
        "{}",
    ]
    arguments += ["", None, "0", "1", BANK, MERCHANT, "EUR", "1", None]
    before = counts()
    assert journal._called(journal._CALL_ONE, arguments) == [(None, None)]
    assert counts() == before
    arguments[1] = str(kept.stamp)
    assert [row[0] for row in journal._called(journal._CALL_ONE, arguments)] == ["created"]


def test_a_template_without_balances_costs_no_query_beside_the_call(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    open_accounts()
    codes(collection("one", 100))
    with django_assert_num_queries(0):  # the call itself is a raw cursor's, which Django does not count
        codes(collection("two", 100, fee=3, vat=1))


@pytest.mark.parametrize(
    "change, refusal",
    [
        ({"event_type": "PAYIN_COLLECTIONS"}, active.UnknownEventType),
        ({"amounts": {}}, MissingParameter),
        ({"amounts": {"net": Money(1, "EUR"), "gross": Money(1, "EUR")}}, UnknownParameter),
        ({"accounts": {"bank": BANK}}, MissingParameter),
    ],
)
def test_a_refusal_of_ours_burns_no_key(change: dict[str, Any], refusal: type[Refusal]) -> None:
    open_accounts()
    good = collection("key", 100)
    fields = {"event_type": good.event_type, "amounts": good.amounts, "accounts": good.accounts, **change}
    with pytest.raises(refusal):
        codes(Draft(key="key", subject="evt_1", **fields))
    assert not LedgerKey.objects.exists()
    assert not PostingRow.objects.exists()
    assert codes(good) == ["created"]


def test_an_account_of_a_line_of_zero_need_not_be_named() -> None:
    open_accounts()
    draft = Draft(
        event_type="PAYIN_COLLECTION",
        key="short",
        subject="evt_1",
        amounts={"net": Money(100, "EUR")},
        accounts={"bank": BANK, "wallet": MERCHANT},
    )
    assert codes(draft) == ["created"]
    assert _postings("short") == [(BANK, MERCHANT, 100)]
    named = Draft(
        event_type="PAYIN_COLLECTION",
        key="fee",
        subject="evt_1",
        amounts={"net": Money(100, "EUR"), "fee": Money(1, "EUR")},
        accounts={"bank": BANK, "wallet": MERCHANT},
    )
    with pytest.raises(MissingParameter, match="revenue"):
        codes(named)


def test_a_preview_shows_what_would_be_posted_and_posts_nothing() -> None:
    open_accounts()
    codes(collection("funds", 60))
    before = Transaction.objects.count()
    assert journal.postings_of(chargeback("c", 100), environment=ENVIRONMENT) == [
        Posting(MERCHANT, BANK, Money(60, "EUR")),
        Posting(RECEIVABLE, BANK, Money(40, "EUR")),
    ]
    assert Transaction.objects.count() == before


# --- templates that depend on balances


def test_a_chargeback_is_never_refused_and_never_overdraws() -> None:
    open_accounts()
    codes(collection("funds", 60))
    assert (
        codes(chargeback("c1", 50), chargeback("c2", 50), collection("more", 5), chargeback("c3", 7)) == ["created"] * 4
    )
    assert _postings("c1") == [(MERCHANT, BANK, 50)]
    assert _postings("c2") == [(MERCHANT, BANK, 10), (RECEIVABLE, BANK, 40)]
    assert _postings("c3") == [(MERCHANT, BANK, 5), (RECEIVABLE, BANK, 2)]
    assert (_balance(MERCHANT), _balance(RECEIVABLE)) == (0, -42)
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []


def test_a_repeat_is_exists_however_the_balance_has_moved() -> None:
    open_accounts()
    codes(collection("funds", 60))
    codes(chargeback("c", 100))
    codes(collection("later", 1000))
    before = (_balance(MERCHANT), _balance(RECEIVABLE), PostingRow.objects.count())
    assert codes(chargeback("c", 100)) == ["exists"]
    assert codes(chargeback("c", 101)) == ["exists_with_different_amount"]
    assert codes(chargeback("d", 1), chargeback("d", 1)) == ["created", "exists"]
    assert (_balance(MERCHANT), _balance(RECEIVABLE), PostingRow.objects.count()) == (
        before[0] - 1,
        before[1],
        before[2] + 1,
    )


def test_money_held_for_a_payout_is_not_taken_by_a_chargeback() -> None:
    open_accounts()
    codes(collection("funds", 100))
    hold = Draft(
        event_type="PAYOUT_RESERVE",
        key="hold",
        subject="pay_1",
        amounts={"amount": Money(70, "EUR")},
        accounts={"wallet": MERCHANT, "bank": BANK},
    )
    assert codes(hold, chargeback("c", 50)) == ["created", "created"]
    assert _postings("c") == [(MERCHANT, BANK, 30), (RECEIVABLE, BANK, 20)]


def test_concurrent_chargebacks_and_collections_agree_with_the_book(
    run_threads: Callable[..., Sequence[Any]],
) -> None:
    open_accounts()
    codes(collection("funds", 300))
    start = threading.Barrier(6)

    def worker(number: int) -> Callable[[], list[str]]:
        def work() -> list[str]:
            start.wait(timeout=20)
            done: list[str] = []
            for turn in range(12):
                drafts = [chargeback(f"c{number}:{turn}", 11), collection(f"p{number}:{turn}", 3)]
                with db_transaction.atomic():
                    done += codes(*(drafts if turn % 2 else reversed(drafts)))
            return done

        return work

    results = run_threads(*(worker(number) for number in range(6)), timeout=60)
    assert [code for result in results for code in result] == ["created"] * 144
    assert _balance(MERCHANT) >= 0
    assert _balance(MERCHANT) + _balance(RECEIVABLE) == 300 + 72 * 3 - 72 * 11
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []


def test_a_template_that_cannot_be_executed_refuses_and_burns_nothing() -> None:
    open_accounts()
    with pytest.raises(TemplateFailed, match="negative"):
        codes(collection("key", -5))
    assert not LedgerKey.objects.exists()


# --- settle


def test_a_settle_posts_what_it_sends_and_voids_the_rest() -> None:
    open_accounts()
    codes(collection("funds", 1000))
    amounts = {
        "amount": Money(500, "EUR"),
        "network_fee": Money(20, "EUR"),
        "fee": Money(10, "EUR"),
        "vat": Money(2, "EUR"),
    }
    named = {"wallet": MERCHANT, "bank": BANK, "revenue": "revenue:payout", "vat": "liabilities:vat"}
    hold = Draft(event_type="PAYOUT_RESERVE", key="hold", subject="pay_1", amounts=amounts, accounts=named)
    less = Draft(
        event_type="PAYOUT_SETTLE",
        key="settle",
        subject="pay_1",
        amounts={**amounts, "fee": Money(0, "EUR"), "vat": Money(0, "EUR")},
        accounts=named,
        hold_key="hold",
    )
    assert codes(hold, less) == ["created", "created"]
    kinds = (
        PostingRow.objects.filter(transaction__key="settle").order_by("position").values_list("kind", "amount_minor")
    )
    assert [(kind, int(amount)) for kind, amount in kinds] == [("post", 500), ("post", 20), ("void", 10), ("void", 2)]
    assert _balance(MERCHANT) == 480


def test_a_release_gives_everything_back() -> None:
    open_accounts()
    codes(collection("funds", 1000))
    hold = Draft(
        event_type="PAYOUT_RESERVE",
        key="hold",
        subject="pay_1",
        amounts={"amount": Money(500, "EUR")},
        accounts={"wallet": MERCHANT, "bank": BANK},
    )
    release = Draft(event_type="PAYOUT_RELEASE", key="release", subject="pay_1", hold_key="hold")
    assert codes(hold, release) == ["created", "created"]
    assert _balance(MERCHANT) == 1000
    assert list(PostingRow.objects.filter(transaction__key="release").values_list("kind", flat=True)) == ["void"]
