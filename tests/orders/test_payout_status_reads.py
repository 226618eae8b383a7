"""A payment that came back without a word: status reads of confirmed payouts find it, for some days; the same return opens."""

from datetime import date, timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from orders.models import Freeze, Intent, Return, ReviewCase
from orders.operations.return_payout import hear_read_return
from orders.sagas import payout as saga
from reconciliation import status_reads, windows
from tests.orders import books
from tests.orders.payouts import ACCOUNT, PayoutDesk, payout_of, reloaded
from tests.orders.test_payout_news import Bank, dismissed, paid, settled, telling
from tests.orders.test_payout_reviews import adjusted
from wallets import evidence, payment_reads, questions, return_window
from wallets.gateway_port import Reply
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import CameBack, Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import InsideTransaction, look_up
from webhooks.models import InboundEvent

__all__ = ["telling"]

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000


def lost_word(payouts: PayoutDesk, name: str = "magic-returned.somchai") -> Intent:
    """A payment that comes back on the next day, and whose event is never delivered."""
    intent = paid(payouts, name)
    assert intent.state == "settled"
    return intent


def test_a_lost_event_is_found_by_the_poller_and_leads_to_the_same_return(payouts: PayoutDesk, telling: Bank) -> None:
    intent = lost_word(payouts)
    payouts.later(hours=23)
    drains.drain("payout_returns")
    assert RemoteAttempt.objects.count() == 1, "not before its time"
    payouts.later(hours=2)
    drains.drain("payout_returns")
    found = Return.objects.get()
    assert (found.kind, found.state, int(found.amount_minor)) == ("payout_returned", "open", 100_000)
    assert found.terms["provider"]["by"] == "status read"
    assert ReviewCase.objects.get(subject=found.reference).reason == "payout_returned"
    assert [(row.kind, row.outcome) for row in RemoteAttempt.objects.order_by("pk")] == [
        ("ask", "confirmed"),
        ("lookup", "confirmed"),
    ]
    assert RemoteAttempt.objects.latest("pk").detail.endswith("100000 came back"), "the answer is kept"
    assert RemoteOperation.objects.get().state == "confirmed"
    assert payouts.money() == (_FUNDS - 100_000, 0), "nothing is booked before people say that it is so"
    assert books.topics(found.reference) == ["payout.returned"]
    adjusted(found)
    assert payouts.money() == (_FUNDS, 0)
    assert reloaded(intent).state == "settled"


def test_the_bank_tells_late_what_a_read_has_found_and_nothing_is_opened_twice(
    payouts: PayoutDesk, telling: Bank
) -> None:
    lost_word(payouts)
    payouts.later(days=1, hours=1)
    drains.drain("payout_returns")
    assert telling.tell() == [202]
    drains.drain("inbox")
    heard = InboundEvent.objects.get()
    assert (heard.state, heard.reason) == (
        "ignored",
        f"{Return.objects.get().reference} is that return: a status read found it before",
    )
    payouts.later(days=1)
    drains.drain("payout_returns")
    assert Return.objects.count() == 1


def test_what_the_bank_has_told_a_read_does_not_open_again_even_when_it_was_dismissed(
    payouts: PayoutDesk, telling: Bank
) -> None:
    lost_word(payouts)
    payouts.later(days=1, seconds=1)
    telling.tell()
    drains.drain("inbox")
    dismissed()
    for _ in range(8):
        payouts.later(days=1)
        drains.drain("payout_returns")
    assert Return.objects.get().state == "dismissed"


def test_a_read_without_an_id_is_taken_once_by_an_event_of_its_amount(payouts: PayoutDesk, telling: Bank) -> None:
    intent = settled(payouts)
    operation = RemoteOperation.objects.get()
    hear_read_return(payout_reference=operation.owner, came_back=CameBack(40_000), now=clock.now())
    assert telling.gave_back(intent, "brt_1", amount="400.00")[0] == "ignored"
    assert telling.gave_back(intent, "brt_1", amount="400.00", event="bev_again")[0] == "ignored"
    assert telling.gave_back(intent, "brt_2", amount="400.00")[0] == "applied", "another one of that amount"
    hear_read_return(payout_reference=operation.owner, came_back=CameBack(80_000), now=clock.now())
    assert sorted(int(found.amount_minor) for found in Return.objects.all()) == [40_000, 40_000]
    hear_read_return(payout_reference=operation.owner, came_back=CameBack(100_000, "brt_3"), now=clock.now())
    assert sorted(int(found.amount_minor) for found in Return.objects.all()) == [20_000, 40_000, 40_000]


def test_payments_are_read_ever_more_slowly_and_for_a_week_only(payouts: PayoutDesk, telling: Bank) -> None:
    settled(payouts)
    began = RemoteOperation.objects.get().answered_at
    assert began is not None
    read_on = []
    for _ in range(4 * 15):
        payouts.later(hours=6)
        if drains.drain("payout_returns"):
            read_on.append((clock.now() - began) // timedelta(days=1))
    assert read_on == [1, 2, 4, 7]
    assert RemoteOperation.objects.get().read_due_at is None


def test_a_channel_that_may_be_pending_for_longer_is_read_for_longer(payouts: PayoutDesk, telling: Bank) -> None:
    settled(payouts)
    operation, gateway = RemoteOperation.objects.get(), Gateway.objects.get(channel="bank_transfer")
    gateway.pending_horizon_ms = 20 * 86_400_000
    assert operation.answered_at is not None
    late = operation.answered_at + timedelta(days=12)
    assert return_window.next_read(operation, gateway, now=late) == operation.answered_at + timedelta(days=20)


def test_one_that_is_not_answered_is_read_again_soon_and_stays_confirmed(payouts: PayoutDesk, telling: Bank) -> None:
    lost_word(payouts)
    address = Gateway.objects.get(channel="bank_transfer").base_url
    Gateway.objects.filter(channel="bank_transfer").update(base_url="http://nowhere.invalid")
    payouts.later(days=1, hours=1)
    drains.drain("payout_returns")
    operation = RemoteOperation.objects.get()
    assert (operation.state, operation.unknown_cause, operation.read_at) == ("confirmed", "", None)
    assert operation.read_due_at == clock.now() + timedelta(minutes=10)
    assert not Return.objects.exists()
    Gateway.objects.filter(channel="bank_transfer").update(base_url=address)
    payouts.later(minutes=11)
    drains.drain("payout_returns")
    assert Return.objects.count() == 1


def test_a_read_that_dies_holds_up_no_other_and_comes_again(payouts: PayoutDesk, telling: Bank) -> None:
    lost_word(payouts)
    payouts.later(days=1, hours=1)

    def died(paid: object) -> object:
        raise ConnectionError("killed in the question")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payment_reads, "read", died)
        with pytest.raises(ConnectionError):
            drains.drain("payout_returns")
    assert payment_reads.due(now=clock.now(), most=9) == []
    payouts.later(minutes=11)
    drains.drain("payout_returns")
    assert Return.objects.count() == 1


def test_one_that_ended_as_not_paid_is_not_asked_without_end(payouts: PayoutDesk, telling: Bank) -> None:
    intent = paid(payouts, "magic-account-closed.somchai")
    payouts.later(hours=1, seconds=1)
    drains.drain("sagas")
    assert reloaded(intent).state == "failed"
    owner = payout_of(intent).reference
    assert hear_read_return(payout_reference=owner, came_back=CameBack(100_000), now=clock.now())
    assert not Return.objects.exists()


def test_a_late_payment_is_read_again_once_people_have_booked_it(payouts: PayoutDesk, telling: Bank) -> None:
    """Absent, released, and then found paid and come back: nobody tells it any more."""
    Gateway.objects.filter(channel="bank_transfer").update(not_found_horizon_ms=1_000, requery_cap=2)
    intent = payouts.pay("1000.00", channel="bank_transfer", recipient=ACCOUNT)
    drains.drain("relay")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "put", lambda *_, **__: (Reply(Unknown(Cause.NOT_FOUND), absent=True), 3))
        payouts.drive(passes=8)
    payouts.decide(intent, "release_payout")
    payouts.drive(passes=2)
    assert reloaded(intent).state == "failed"
    back = Reply(Confirmed("bnk_late", date(2026, 3, 15), CameBack(100_000, "brt_1")), 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "put", lambda *_, **__: (back, 3))
        look_up(RemoteOperation.objects.get().key)
        drains.drain("relay")
        drains.drain("payout_returns")
        late = Return.objects.get()
        assert (late.kind, late.state) == ("late_effect", "open")
        adjusted(late)
        assert payouts.money() == (_FUNDS - 100_000, 0)
        drains.drain("payout_returns")
    found = Return.objects.get(kind="payout_returned")
    assert (found.state, int(found.amount_minor)) == ("open", 100_000)
    adjusted(found)
    assert payouts.money() == (_FUNDS, 0)


def test_a_frozen_one_is_read_and_waits(payouts: PayoutDesk, telling: Bank) -> None:
    intent = lost_word(payouts)
    Freeze.objects.create(subject=intent.reference, reason="x", frozen_by="user:lena", frozen_at=clock.now())
    payouts.later(days=1, hours=1)
    drains.drain("payout_returns")
    assert not Return.objects.exists()
    Freeze.objects.update(lifted_at=clock.now(), lifted_by="user:lena")
    payouts.later(minutes=11)
    drains.drain("payout_returns")
    assert Return.objects.count() == 1


def test_a_payment_found_returned_by_the_sagas_own_lookup_settles_and_is_a_return(
    payouts: PayoutDesk, telling: Bank
) -> None:
    """Asked, the answer lost, and looked up only when it has come back already."""
    intent = payouts.pay("1000.00", channel="bank_transfer", recipient={
        "bank_code": "KBANK", "account_number": "1234567890", "name": "magic-returned.somchai"
    })  # fmt: skip
    drains.drain("relay")
    saga.advance(payout_of(intent))
    with pytest.MonkeyPatch.context() as patch:

        def died(*_: object, **__: object) -> object:
            raise ConnectionError("killed before the answer was written down")

        patch.setattr(evidence, "write_down", died)
        with pytest.raises(ConnectionError):
            saga.advance(payout_of(intent))
    payouts.later(days=1, hours=1)
    payouts.drive(passes=4)
    assert reloaded(intent).state == "settled"
    assert RemoteAttempt.objects.get().kind == "lookup"
    drains.drain("payout_returns")
    found = Return.objects.get()
    assert (found.kind, found.terms["provider"]["return_id"][:4]) == ("payout_returned", "brt_")


def test_the_closes_trusted_reads_find_it_too(payouts: PayoutDesk, telling: Bank) -> None:
    lost_word(payouts)
    date = windows.business_date_of(environment="test", instant=clock.now())
    window = windows.window_of(environment="test", business_date=date)
    early = status_reads.read(window=window, keep=lambda: None)
    assert (early.read_again, early.came_back) == (0, 0), "what was confirmed just now is not asked again"
    payouts.later(days=1)
    RemoteOperation.objects.update(read_due_at=clock.now() + timedelta(hours=6))
    found = status_reads.read(window=window, keep=lambda: None)
    assert (found.asked, found.resolved, found.read_again, found.came_back) == (0, 0, 1, 1)
    assert Return.objects.get().kind == "payout_returned"
    again = status_reads.read(window=window, keep=lambda: None)
    assert (again.read_again, Return.objects.count()) == (0, 1), "once after the window's end"


def test_a_read_inside_a_transaction_is_a_defect(payouts: PayoutDesk, telling: Bank) -> None:
    settled(payouts)
    operation = RemoteOperation.objects.get()
    with pytest.raises(InsideTransaction), db_transaction.atomic():
        payment_reads.read(payment_reads.Paid(operation.key, operation.owner, 1))


def test_parts_that_the_bank_tells_after_a_read_told_their_sum_are_that_return(
    payouts: PayoutDesk, telling: Bank
) -> None:
    intent = settled(payouts)
    owner = payout_of(intent).reference
    hear_read_return(payout_reference=owner, came_back=CameBack(40_000, "brt_2"), now=clock.now())
    assert telling.gave_back(intent, "brt_2", amount="100.00")[0] == "ignored"
    assert telling.gave_back(intent, "brt_1", amount="300.00")[0] == "ignored"
    assert telling.gave_back(intent, "brt_1", amount="300.00", event="bev_again")[0] == "ignored"
    assert [int(found.amount_minor) for found in Return.objects.all()] == [40_000]
    assert telling.gave_back(intent, "brt_3", amount="300.00")[0] == "applied", "more than the read had seen"
    hear_read_return(payout_reference=owner, came_back=CameBack(70_000, "brt_3"), now=clock.now())
    assert [int(found.amount_minor) for found in Return.objects.order_by("pk")] == [40_000, 30_000]


def test_what_an_event_tells_beyond_the_return_of_its_id_is_another_return(payouts: PayoutDesk, telling: Bank) -> None:
    """The read saw a part of it, or the bank was wrong once: what it took from us twice over is nobody's otherwise."""
    intent = settled(payouts)
    operation = RemoteOperation.objects.get()
    hear_read_return(payout_reference=operation.owner, came_back=CameBack(30_000, "brt_1"), now=clock.now())
    assert telling.gave_back(intent, "brt_1", amount="500.00")[0] == "applied"
    assert telling.gave_back(intent, "brt_1", amount="500.00", event="bev_again")[0] == "ignored"
    assert [int(found.amount_minor) for found in Return.objects.order_by("pk")] == [30_000, 20_000]
    hear_read_return(payout_reference=operation.owner, came_back=CameBack(50_000, "brt_1"), now=clock.now())
    assert Return.objects.count() == 2, "nothing is told twice"


def test_an_event_of_what_people_had_dismissed_is_a_return_again_and_counts_once(
    payouts: PayoutDesk, telling: Bank
) -> None:
    intent = settled(payouts)
    owner = payout_of(intent).reference
    hear_read_return(payout_reference=owner, came_back=CameBack(40_000), now=clock.now())
    dismissed()
    assert telling.gave_back(intent, "brt_1", amount="400.00")[0] == "applied"
    assert [found.state for found in Return.objects.order_by("pk")] == ["dismissed", "open"]
    hear_read_return(payout_reference=owner, came_back=CameBack(40_000), now=clock.now())
    assert Return.objects.count() == 2
    hear_read_return(payout_reference=owner, came_back=CameBack(70_000), now=clock.now())
    assert [int(found.amount_minor) for found in Return.objects.order_by("pk")] == [40_000, 40_000, 30_000]


def test_a_confirmed_payment_that_the_bank_denies_later_is_a_return_and_is_not_read_all_day(
    payouts: PayoutDesk, telling: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = settled(payouts)
    monkeypatch.setattr(questions, "put", lambda *_, **__: (Reply(Rejected("unknown_account")), 3))
    payouts.later(days=1, hours=1)
    for _ in range(30):
        drains.drain("payout_returns")
        payouts.later(minutes=10)
    found = Return.objects.get()
    assert (found.state, int(found.amount_minor), found.terms["provider"]["by"]) == ("open", 100_000, "status read")
    assert "never paid" in found.terms["provider"]["reason"]
    operation = RemoteOperation.objects.get()
    assert (operation.state, operation.read_at is not None) == ("confirmed", True)
    assert list(RemoteAttempt.objects.order_by("pk").values_list("outcome", flat=True)).count("rejected") == 1
    assert payouts.money() == (_FUNDS - 100_000, 0), "nothing is booked before people say that it is so"
    adjusted(found)
    assert (payouts.money(), reloaded(intent).state) == ((_FUNDS, 0), "settled")
