"""A bank's signed events: evidence that makes the saga look up; a payment that comes back opens one return."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls import clock, drains
from ledger.controls.moves import Why
from orders import payout_moves
from orders.models import Intent, Return, ReviewCase, SagaRun, WalletEntry
from orders.operations import review_case
from tests.orders import books
from tests.orders.payouts import ACCOUNT, ASSET, PayoutDesk, payout_of, reloaded
from tests.orders.test_payout_reviews import adjusted
from tests.sandbox_in_process import SandboxTransport
from wallets import gateway_adapters, holders, inbox_provider, operators
from wallets.models import Gateway, RemoteAttempt
from wallets.sandbox.payments import Payments
from webhooks import outbound, signatures
from webhooks.models import InboundEvent

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000


@dataclass
class Bank:
    """The sandbox's bank in the test's own time, whose events reach our inbox when `tell` is called."""

    sandbox: SandboxTransport
    code: str
    secret: str

    def tell(self, *, code: str = "") -> list[int]:
        """Deliver what is due; return how each was answered."""
        answers = []
        messenger = self.sandbox.sandbox.bank_messenger
        for message in messenger.due():
            path = f"/v1/inbox/{code or self.code}"
            headers = {name: value for name, value in message.headers.items() if name != "content-type"}
            answer = Client().post(path, message.body, content_type="application/json", headers=headers)
            messenger.told(message, answer.status_code)
            answers.append(answer.status_code)
        return answers

    def gave_back(
        self,
        intent: Intent,
        transaction: str,
        *,
        amount: str = "1000.00",
        event: str = "",
        because: str = "",
        drains_too: bool = True,
    ) -> tuple[str, str]:
        """Announce that a payment came back; return how that was judged, and why."""
        said = {
            "idempotency_key": f"{payout_of(intent).reference}:submit:v1",
            "status": "returned",
            "return_id": transaction,
            "amount": amount,
            "currency": ASSET,
            "reason": because,
        }
        return self._sent("payout.returned", said, event or f"bev_{transaction}", drains_too=drains_too)

    def says(self, key: str, status: str) -> tuple[str, str]:
        """Announce what became of a payment; return how that was judged, and why."""
        said = {"idempotency_key": key, "status": status}
        return self._sent("payout.updated", said, f"bev_{InboundEvent.objects.count()}")

    def _sent(self, kind: str, said: dict[str, str], event: str, *, drains_too: bool = True) -> tuple[str, str]:
        body = json.dumps({"type": kind, "data": said}).encode()
        stamp = int(clock.now().timestamp())
        headers = signatures.headers(secrets=[self.secret], message_id=event, timestamp=stamp, body=body)
        answer = Client().post(f"/v1/inbox/{self.code}", body, content_type="application/json", headers=headers)
        assert answer.status_code == 202
        if drains_too:
            drains.drain("inbox")
        heard = InboundEvent.objects.order_by("-pk")[0]
        return heard.state, heard.reason


@pytest.fixture
def telling(payouts: PayoutDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", gateway_adapters.adapter)
    Gateway.objects.filter(channel="bank_transfer").update(
        adapter="http_bank_transfer",
        base_url="http://127.0.0.1:8100/bank",
        secret="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        pending_backoff_ms=3_600_000,
    )
    gateway = Gateway.objects.select_related("operator").get(channel="bank_transfer")
    with db_transaction.atomic():
        made = inbox_provider.ensure(gateway, now=clock.now())
    assert made is not None
    transport = SandboxTransport(payouts.clock)
    with transport.store.transaction():
        Payments(transport.store).set_inbox("http://127.0.0.1/", made.secret)
    with outbound.use(transport):
        yield Bank(transport, made.provider.code, made.secret)


def paid(payouts: PayoutDesk, name: str = "Somchai J.", *, amount: str = "1000.00") -> Intent:
    intent = payouts.pay(amount, channel="bank_transfer", recipient={**ACCOUNT, "name": name})
    drains.drain("relay")
    drains.drain("sagas")
    return reloaded(intent)


def judged() -> list[tuple[str, str]]:
    return list(InboundEvent.objects.order_by("pk").values_list("kind", "state"))


def test_event_makes_the_saga_look_up_at_once(payouts: PayoutDesk, telling: Bank) -> None:
    intent = paid(payouts)
    assert payout_of(intent).state == "waiting"
    payouts.later(seconds=6)
    drains.drain("sagas")
    assert payout_of(intent).state == "waiting", "the next lookup is an hour away"
    assert telling.tell() == [202]
    drains.drain("inbox")
    drains.drain("sagas")
    assert reloaded(intent).state == "settled"
    assert payouts.money() == (_FUNDS - 100_000, 0)
    assert [row.kind for row in RemoteAttempt.objects.order_by("pk")] == ["ask", "lookup"]


def test_news_in_the_first_minutes_of_a_review_is_looked_up_at_once(payouts: PayoutDesk, telling: Bank) -> None:
    intent = paid(payouts)
    with db_transaction.atomic():
        payout = payout_of(intent)
        why = Why("test", "the cap is reached")
        payout_moves.requery(payout, now=clock.now())
        payout_moves.give_up(payout, why=why, now=clock.now())
        payout_moves.open_case(
            reloaded(intent), payout, reason="payout_unknown", next_action="look", why=why, now=clock.now()
        )
    payouts.later(seconds=6)
    assert telling.tell() == [202]
    drains.drain("inbox")
    assert SagaRun.objects.get().news == 1
    drains.drain("sagas")
    assert [row.kind for row in RemoteAttempt.objects.order_by("pk")] == ["ask", "lookup"]
    assert (payout_of(intent).state, SagaRun.objects.get().news) == ("manual_review", 0)


def test_its_status_is_evidence_only(payouts: PayoutDesk, telling: Bank) -> None:
    """It says settled; our own lookup is told pending, and that counts."""
    intent = paid(payouts, "magic-pending-long.somchai")
    payouts.later(seconds=6)
    telling.tell()
    drains.drain("inbox")
    drains.drain("sagas")
    assert judged() == [("payout.updated", "applied")]
    assert (payout_of(intent).state, payouts.money()) == ("waiting", (_FUNDS, 100_000))


def test_repeated_and_reordered_events_change_nothing(payouts: PayoutDesk, telling: Bank) -> None:
    for name in ("magic-pending-twice.somchai", "magic-pending-reordered.somchai"):
        intent = paid(payouts, name)
        payouts.later(seconds=6)
        telling.tell()
        drains.drain("inbox")
        drains.drain("sagas")
        assert reloaded(intent).state == "settled"
    drains.drain("inbox")
    assert payouts.money() == (_FUNDS - 200_000, 0)


def test_another_operators_provider_is_not_heard(payouts: PayoutDesk, telling: Bank) -> None:
    rival = operators.create_operator(name="Rival", slug="rival", kind="operator", now=clock.now())
    gateway = Gateway.objects.create(
        operator=rival,
        environment="test",
        channel="bank_transfer",
        adapter="http_bank_transfer",
        base_url="http://rival.invalid",
        secret="whsec_c2VjcmV0",
        wallet_asset=ASSET,
    )
    with db_transaction.atomic():
        made = inbox_provider.ensure(gateway, now=clock.now())
    assert made is not None
    intent = paid(payouts)
    key = f"{payout_of(intent).reference}:submit:v1"
    body = json.dumps({"type": "payout.updated", "data": {"idempotency_key": key, "status": "settled"}}).encode()
    stamp = int(clock.now().timestamp())
    headers = signatures.headers(secrets=[made.secret], message_id="bev_x", timestamp=stamp, body=body)
    Client().post(f"/v1/inbox/{made.provider.code}", body, content_type="application/json", headers=headers)
    drains.drain("inbox")
    assert judged() == [("payout.updated", "parked")]
    assert payout_of(intent).state == "waiting"


def test_a_payment_that_comes_back_to_a_closed_wallet_is_credited_and_marked(
    payouts: PayoutDesk, telling: Bank
) -> None:
    paid(payouts, "magic-returned.somchai", amount="10000.00")
    with db_transaction.atomic():
        holders.close_wallet(reference=payouts.wallet.reference, actor="operator:op_1", now=clock.now())
    payouts.later(days=1, seconds=1)
    assert telling.tell() == [202]
    drains.drain("inbox")
    adjusted(Return.objects.get())
    assert payouts.money() == (_FUNDS, 0)
    payouts.wallet.refresh_from_db()
    assert payouts.wallet.moved_after_close_at is not None


def test_payment_that_comes_back_opens_one_return_which_gives_the_amount_back(
    payouts: PayoutDesk, telling: Bank
) -> None:
    intent = paid(payouts, "magic-returned-twice.somchai")
    assert intent.state == "settled"
    payouts.later(days=1, seconds=1)
    assert telling.tell() == [202, 202]
    drains.drain("inbox")
    assert sorted(judged()) == [("payout.returned", "applied"), ("payout.returned", "ignored")]
    found = Return.objects.get()
    assert (found.kind, found.state, found.intent_reference) == ("payout_returned", "open", intent.reference)
    assert payouts.money() == (_FUNDS - 100_000, 0), "nothing is booked before people say that it is so"
    adjusted(found)
    assert payouts.money() == (_FUNDS, 0)
    assert Return.objects.get().terminal
    wallet = f"merchants:{payouts.wallet.reference}:available"
    assert books.moved(found.reference) == {
        ("PAYOUT_RETURN", "posted", "bank:bank_transfer", wallet, ASSET, 100_000): 1
    }
    assert books.topics(found.reference) == ["payout.returned", "payout.returned"]
    assert reloaded(intent).state == "settled", "the intent stays as it is"
    assert WalletEntry.objects.get(subject=found.reference).kind == "payout_return"


def test_a_mistaken_return_is_dismissed_by_two_people(payouts: PayoutDesk, telling: Bank) -> None:
    paid(payouts, "magic-returned.somchai")
    payouts.later(days=1, seconds=1)
    telling.tell()
    drains.drain("inbox")
    dismissed()
    assert Return.objects.get().state == "dismissed"
    assert payouts.money() == (_FUNDS - 100_000, 0)


def dismissed() -> None:
    case = ReviewCase.objects.get()
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="dismiss",
        reason="the bank's mistake",
        actor="user:olga",
        now=clock.now(),
    )
    assert not decided.resolved
    case = ReviewCase.objects.get()
    review_case.approve_resolution(
        case_reference=case.reference, case_version=case.version, reason="yes", actor="user:lena", now=clock.now()
    )


def settled(payouts: PayoutDesk) -> Intent:
    intent = paid(payouts)
    payouts.later(hours=1, seconds=1)
    drains.drain("sagas")
    assert reloaded(intent).state == "settled"
    return reloaded(intent)


def test_money_that_comes_back_after_a_dismissed_return_opens_another(payouts: PayoutDesk, telling: Bank) -> None:
    intent = settled(payouts)
    assert telling.gave_back(intent, "brt_1")[0] == "applied"
    dismissed()
    again = telling.gave_back(intent, "brt_1", event="bev_again")
    assert again == ("ignored", "the return brt_1 was heard before"), "the bank repeats itself under another event id"
    assert telling.gave_back(intent, "brt_2")[0] == "applied"
    assert sorted(Return.objects.values_list("state", flat=True)) == ["dismissed", "open"]


def test_each_part_that_comes_back_is_a_return_of_its_own_and_never_more_than_was_paid(
    payouts: PayoutDesk, telling: Bank
) -> None:
    """Partial, adjusted, partial, adjusted, too much."""
    intent = settled(payouts)
    for transaction, amount in (("brt_1", "400.00"), ("brt_2", "599.99")):
        assert telling.gave_back(intent, transaction, amount=amount)[0] == "applied"
        adjusted(Return.objects.get(state="open"))
    assert sorted(int(found.amount_minor) for found in Return.objects.all()) == [40_000, 59_999]
    assert payouts.money() == (_FUNDS - 1, 0)
    state, why = telling.gave_back(intent, "brt_3", amount="0.02")
    assert (state, why) == ("parked", f"with it more of {intent.reference} would have come back than was paid")
    assert telling.gave_back(intent, "brt_4", amount="0.01")[0] == "applied", "exactly what was paid is not too much"
    for _ in range(20):
        payouts.later(hours=1)
        drains.drain("inbox")
    assert InboundEvent.objects.get(provider_event_id="bev_brt_3").state == "dead", "people look; it is never ignored"
    assert (Return.objects.count(), payouts.money()) == (3, (_FUNDS - 1, 0))


def test_a_part_waits_while_the_others_may_be_mistakes(payouts: PayoutDesk, telling: Bank) -> None:
    intent = settled(payouts)
    assert telling.gave_back(intent, "brt_1", amount="400.00")[0] == "applied"
    assert telling.gave_back(intent, "brt_2", amount="600.01")[0] == "parked"
    dismissed()
    payouts.later(hours=1)
    drains.drain("inbox")
    assert InboundEvent.objects.order_by("-pk")[0].state == "applied", "what waits has claimed no transaction"
    assert sorted(Return.objects.values_list("state", flat=True)) == ["dismissed", "open"]


def test_parts_told_at_once_are_never_more_than_was_paid(
    payouts: PayoutDesk, telling: Bank, run_threads: Callable[..., Sequence[Any]]
) -> None:
    intent = settled(payouts)
    for number in range(4):
        telling.gave_back(intent, f"brt_{number}", amount="300.00", drains_too=False)
    now = clock.now()

    def judge() -> None:
        with clock.use(clock.FixedClock(now)):
            drains.drain("inbox")

    run_threads(*[judge] * 4)
    drains.drain("inbox")
    assert sum(int(found.amount_minor) for found in Return.objects.all()) == 90_000
    assert sorted(InboundEvent.objects.values_list("state", flat=True)) == ["applied"] * 3 + ["parked"]


def test_more_than_was_paid_is_never_ignored(payouts: PayoutDesk, telling: Bank) -> None:
    intent = settled(payouts)
    state, why = telling.gave_back(intent, "brt_1", amount="1000.01")
    assert (state, why) == ("parked", f"it is about another asset or amount than {intent.reference}")
    assert not Return.objects.exists()


def test_money_that_comes_back_of_a_failed_payout_is_never_ignored(payouts: PayoutDesk, telling: Bank) -> None:
    intent = paid(payouts, "magic-account-closed.somchai")
    payouts.later(hours=1, seconds=1)
    drains.drain("sagas")
    assert reloaded(intent).state == "failed"
    state, why = telling.gave_back(intent, "brt_1")
    assert (state, why) == ("parked", f"{intent.reference} is failed: nothing of it was paid (yet)")
    assert not Return.objects.exists()


def test_a_return_told_again_as_another_one_is_never_ignored(payouts: PayoutDesk, telling: Bank) -> None:
    """The bank's id of a return, used again for another amount, or for another payment: people look."""
    first, second = settled(payouts), settled(payouts)
    assert telling.gave_back(first, "brt_1", amount="400.00")[0] == "applied"
    again = telling.gave_back(first, "brt_1", amount="400.00", event="bev_again")
    assert again == ("ignored", "the return brt_1 was heard before")
    parked = ("parked", "the return brt_1 was heard before, about another payment or amount")
    assert telling.gave_back(first, "brt_1", amount="600.00", event="bev_more") == parked
    assert telling.gave_back(second, "brt_1", amount="400.00", event="bev_other") == parked
    assert [int(found.amount_minor) for found in Return.objects.all()] == [40_000]


def test_a_payment_that_was_rejected_is_looked_up_again_when_the_bank_says_settled(
    payouts: PayoutDesk, telling: Bank
) -> None:
    intent = paid(payouts, "magic-account-closed.somchai")
    payouts.later(hours=1, seconds=1)
    drains.drain("sagas")
    assert (reloaded(intent).state, payouts.money()) == ("failed", (_FUNDS, 0))
    key = f"{payout_of(intent).reference}:submit:v1"
    assert telling.says(key, "rejected")[0] == "ignored"
    assert telling.says(key, "settled")[0] == "applied"
    drains.drain("sagas")
    drains.drain("relay")
    assert RemoteAttempt.objects.latest("pk").outcome == "rejected"
    assert not Return.objects.exists(), "what it says is not believed: the lookup counts"
    with telling.sandbox.store.transaction():
        telling.sandbox.store.run(
            "UPDATE payments SET status = 'settled', code = '', response_id = 'bnk_late', settlement_date = '2026-03-15'"
            " WHERE key = ?",
            key,
        )
    assert telling.says(key, "settled")[0] == "applied"
    drains.drain("sagas")
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.kind, found.operation_key, found.state) == ("late_effect", key, "open")
    assert payouts.money() == (_FUNDS, 0), "nothing is booked before people say that it is so"


@pytest.mark.parametrize("status", ["returned", "rejected"])
def test_a_confirmed_payment_is_read_at_once_when_the_bank_says_otherwise(
    status: str, payouts: PayoutDesk, telling: Bank
) -> None:
    intent = settled(payouts)
    key = f"{payout_of(intent).reference}:submit:v1"
    asked = RemoteAttempt.objects.count()
    assert telling.says(key, "settled")[0] == "ignored"
    drains.drain("payout_returns")
    assert RemoteAttempt.objects.count() == asked, "it says nothing new"
    with telling.sandbox.store.transaction():
        telling.sandbox.store.run("UPDATE payments SET status = ?, code = 'declined' WHERE key = ?", status, key)
    assert telling.says(key, status)[0] == "applied"
    drains.drain("payout_returns")
    assert [int(found.amount_minor) for found in Return.objects.all()] == [100_000]
    assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))


def test_a_return_is_opened_whatever_reason_the_bank_gives(payouts: PayoutDesk, telling: Bank) -> None:
    intent = settled(payouts)
    assert telling.gave_back(intent, "brt_1", because="account\x00closed")[0] == "applied"
    assert Return.objects.get().terms["provider"]["reason"] == "accountclosed"


def paid_late(payouts: PayoutDesk, telling: Bank) -> tuple[Intent, Return]:
    """A payment that the bank rejected and made all the same: the payout failed, and a late effect is open."""
    intent = paid(payouts, "magic-account-closed.somchai")
    payouts.later(hours=1, seconds=1)
    drains.drain("sagas")
    key = f"{payout_of(intent).reference}:submit:v1"
    with telling.sandbox.store.transaction():
        telling.sandbox.store.run(
            "UPDATE payments SET status = 'settled', code = '', response_id = 'bnk_late', settlement_date = '2026-03-15'"
        )
    assert telling.says(key, "settled")[0] == "applied"
    drains.drain("sagas")
    drains.drain("relay")
    return reloaded(intent), Return.objects.get(kind="late_effect")


def test_a_late_payment_that_comes_back_is_a_return_once_people_have_booked_it(
    payouts: PayoutDesk, telling: Bank
) -> None:
    intent, late = paid_late(payouts, telling)
    state, why = telling.gave_back(intent, "brt_1", amount="400.00")
    assert (state, why) == ("parked", f"people are looking whether {intent.reference} was paid late")
    for _ in range(20):
        payouts.later(hours=1)
        drains.drain("inbox")
    assert InboundEvent.objects.get(provider_event_id="bev_brt_1").state == "parked", (
        "it waits for people, not for ever"
    )
    adjusted(late)
    assert payouts.money() == (_FUNDS - 100_000, 0)
    payouts.later(hours=1)
    drains.drain("inbox")
    found = Return.objects.get(kind="payout_returned")
    assert (found.state, int(found.amount_minor)) == ("open", 40_000)
    adjusted(found)
    assert payouts.money() == (_FUNDS - 60_000, 0)
    assert telling.gave_back(intent, "brt_2", amount="600.01")[0] == "parked", "never more than was paid"
    assert (reloaded(intent).state, intent.state) == ("failed", "failed")


def test_what_came_back_of_a_late_payment_that_was_a_mistake_waits_for_people(
    payouts: PayoutDesk, telling: Bank
) -> None:
    intent, _ = paid_late(payouts, telling)
    dismissed()
    state, why = telling.gave_back(intent, "brt_1")
    assert (state, why) == ("parked", f"{intent.reference} is failed: nothing of it was paid (yet)")
