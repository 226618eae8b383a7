"""Who would be paid, asked while a request waits: a limit of its own, a lease, the circuit, pauses; each question is kept."""

from datetime import timedelta

import pytest
from django.db import ProgrammingError
from django.db import transaction as db_transaction

from ledger.controls import clock, request_context
from ledger.controls.rest import problems
from orders.models import Intent
from orders.operations import create_payout
from orders.operations.create_payout import AssetNotPaidOut, ChannelUnavailable, RecipientNotPayable
from orders.operations.try_payout import try_payout
from tests.orders.payouts import PayoutDesk, payout_of, reloaded
from wallets import pauses
from wallets.gateway_port import NotPayable, Payable, RecipientAnswer, Unanswered
from wallets.models import Breaker, Gateway, Inquiry, InquiryLease, RemoteOperation
from wallets.outcomes import Cause

pytestmark = pytest.mark.usefixtures("database")


def _promptpay() -> Gateway:
    return Gateway.objects.get(channel="promptpay")


def _refused(payouts: PayoutDesk, intent: Intent) -> ChannelUnavailable:
    """Have the channel not asked; nothing was held, and the intent waits at its anchor."""
    asked, money = len(payouts.bank.asked), payouts.money()
    with pytest.raises(ChannelUnavailable) as refusal:
        payouts.finish(intent)
    assert len(payouts.bank.asked) == asked
    assert (reloaded(intent).state, payouts.money()) == ("created", money)
    return refusal.value


@pytest.mark.parametrize("limit", ["inquiry_concurrency", "concurrency"])
def test_beyond_its_limit_a_channel_is_asked_no_more(limit: str, payouts: PayoutDesk) -> None:
    """While one question runs, the next is refused at once, with a time; the same request goes on from its anchor later."""
    Gateway.objects.filter(channel="promptpay").update(**{limit: 1})
    second = payouts.begin("20.00", channel="promptpay")
    met: list[ChannelUnavailable] = []

    def meanwhile() -> None:
        payouts.bank.during_query = None
        (lease,) = InquiryLease.objects.all()
        assert (lease.gateway_id, lease.lease_until) == (_promptpay().pk, clock.now() + timedelta(seconds=15))
        met.append(_refused(payouts, second))

    payouts.bank.during_query = meanwhile
    assert payouts.pay("10.00").state == "authorized"
    told = problems.of_refusal(met[0])
    assert (told.status_code, int(told.headers["Retry-After"]) >= 1) == (503, True)
    assert (met[0].code, met[0].fields) == ("channel_unavailable", {"intent_id": second.reference})
    assert not InquiryLease.objects.exists()
    assert payouts.finish(second).state == "authorized", "there is room again"
    assert Inquiry.objects.count() == 2


def test_what_moves_money_counts_in_the_channel_s_whole_limit(payouts: PayoutDesk) -> None:
    Gateway.objects.filter(channel="promptpay").update(concurrency=1)
    first = payouts.pay("10.00")
    payouts.drive(passes=1)
    lease = clock.now() + timedelta(seconds=15)
    RemoteOperation.objects.filter(leg="submit").update(lease_until=lease, lease_token="somebody's")
    second = payouts.begin("20.00")
    _refused(payouts, second)
    RemoteOperation.objects.filter(leg="submit").update(lease_until=None, lease_token="")
    assert payouts.finish(second).state == "authorized"
    assert reloaded(first).state == "settled"


def test_a_dead_asker_keeps_its_place_no_longer_than_its_lease(payouts: PayoutDesk) -> None:
    Gateway.objects.filter(channel="promptpay").update(inquiry_concurrency=1)
    intent = payouts.begin()

    def killed() -> None:
        payouts.bank.during_query = None
        raise KeyboardInterrupt

    payouts.bank.during_query = killed
    with pytest.raises(KeyboardInterrupt):
        payouts.finish(intent)
    _refused(payouts, intent)
    payouts.later(seconds=16)
    assert payouts.finish(intent).state == "authorized"
    assert not InquiryLease.objects.exists()


def _pause(channel: str) -> None:
    with db_transaction.atomic():
        pauses.pause_gateway(
            operator_slug="house",
            environment="test",
            channel=channel,
            reason="they asked for it",
            lasts=timedelta(minutes=5),
            actor="user:lea",
            now=clock.now(),
        )


def test_a_paused_channel_is_not_asked_who_is_paid(payouts: PayoutDesk) -> None:
    _pause("promptpay")
    intent = payouts.begin()
    assert _refused(payouts, intent).retry_after == 30, "not as long as the pause: it may be lifted"
    assert not Inquiry.objects.exists()
    payouts.later(minutes=6)
    assert payouts.finish(intent).state == "authorized"


def test_a_channel_that_tells_nothing_beforehand_is_asked_nothing(payouts: PayoutDesk) -> None:
    """A bank transfer is taken while its bank is paused, and waits with its hold: there is no question to hold back."""
    payouts.bank.knows_recipients = False
    Gateway.objects.filter(channel="bank_transfer").update(inquiry_concurrency=1)
    InquiryLease.objects.create(
        gateway_id=Gateway.objects.get(channel="bank_transfer").pk,
        token="another's",
        lease_until=clock.now() + timedelta(minutes=1),
    )
    _pause("bank_transfer")
    assert payouts.pay(channel="bank_transfer").state == "authorized"
    assert not Inquiry.objects.exists()


@pytest.mark.parametrize("knows_recipients", [True, False])
def test_nothing_is_begun_at_a_channel_whose_circuit_is_open(knows_recipients: bool, payouts: PayoutDesk) -> None:
    payouts.bank.knows_recipients = knows_recipients
    until = clock.now() + timedelta(seconds=8)
    Breaker.objects.create(gateway_id=_promptpay().pk, open_until=until, openings=1)
    intent = payouts.begin()
    assert _refused(payouts, intent).retry_after == 8
    payouts.later(seconds=9)
    assert payouts.finish(intent).state == "authorized"


def test_questions_without_an_answer_open_the_circuit_and_one_that_is_answered_closes_it(payouts: PayoutDesk) -> None:
    Gateway.objects.filter(channel="promptpay").update(breaker_failures=2)
    payouts.bank.queries = [Unanswered(Cause.TIMEOUT), Unanswered(Cause.CONNECTION, sent=False), Payable("l", "S")]
    intent = payouts.begin()
    for _ in range(2):
        with pytest.raises(ChannelUnavailable):
            payouts.finish(intent)
    assert Breaker.objects.get(gateway_id=_promptpay().pk).open_until is not None
    _refused(payouts, intent)
    payouts.later(seconds=11)
    assert payouts.finish(intent).state == "authorized"
    assert Breaker.objects.get(gateway_id=_promptpay().pk).open_until is None


def test_a_question_that_was_never_sent_says_nothing_of_the_channel(payouts: PayoutDesk) -> None:
    """Our own guard refused it, say: the circuit stays as it was, and the next question is the probe."""
    Breaker.objects.create(gateway_id=_promptpay().pk, open_until=clock.now(), openings=1, failures=4)
    payouts.bank.queries = [Unanswered(Cause.NOT_ASKED, sent=False), Payable("l", "S")]
    intent = payouts.begin()
    with pytest.raises(ChannelUnavailable):
        payouts.finish(intent)
    breaker = Breaker.objects.get(gateway_id=_promptpay().pk)
    assert (breaker.open_until, breaker.failures, breaker.probe_token) == (clock.now(), 4, "")
    assert payouts.finish(intent).state == "authorized"
    assert Breaker.objects.get(gateway_id=_promptpay().pk).open_until is None


@pytest.mark.parametrize(
    ("told", "outcome", "detail"),
    [
        (Payable("lkp_7", "Somchai J."), "answered", "lkp_7"),
        (NotPayable("recipient_not_found"), "refused", "recipient_not_found"),
        (Unanswered(Cause.TIMEOUT), "unknown", "timeout"),
    ],
)
def test_each_question_is_kept_with_its_request_and_what_was_said(
    told: RecipientAnswer, outcome: str, detail: str, payouts: PayoutDesk
) -> None:
    payouts.bank.queries = [told]
    intent = payouts.begin()
    with request_context.bound(request_id="req_of_the_payout"):
        if isinstance(told, Payable):
            payouts.finish(intent)
        else:
            with pytest.raises((ChannelUnavailable, RecipientNotPayable)):
                payouts.finish(intent)
    (kept,) = Inquiry.objects.all()
    assert (kept.kind, kept.subject, kept.request_id) == ("recipient", intent.reference, "req_of_the_payout")
    assert (kept.gateway_id, kept.outcome, kept.detail) == (_promptpay().pk, outcome, detail)
    with pytest.raises(ProgrammingError, match="permission denied"), db_transaction.atomic():
        Inquiry.objects.update(outcome="answered")


def test_a_dry_run_s_question_is_kept_though_nothing_else_is(payouts: PayoutDesk) -> None:
    try_payout(caller=payouts.caller, asked=payouts.asked(), confirm=True)
    assert not Intent.objects.exists()
    assert Inquiry.objects.get().kind == "recipient"


def test_no_question_is_asked_inside_a_transaction(payouts: PayoutDesk) -> None:
    from wallets.remote_operations import InsideTransaction

    intent = payouts.begin()
    with pytest.raises(InsideTransaction), db_transaction.atomic():
        create_payout.ask_who(intent.reference)
    assert payouts.bank.asked == []


@pytest.mark.parametrize("connected", ["before it is asked", "before it is confirmed"])
def test_one_gateway_serves_a_payout_whatever_is_connected_meanwhile(connected: str, payouts: PayoutDesk) -> None:
    """The operator gets a door of its own, even for another asset, while its payout is under way at the house's."""

    def connect() -> None:
        own = _promptpay()
        own.pk, own.operator_id, own.wallet_asset = None, payouts.caller.operator_id, "EUR"
        own.save()

    house = _promptpay()
    intent = payouts.begin()
    if connected == "before it is asked":
        connect()
    payouts.finish(intent, confirm=False)
    assert Inquiry.objects.get().gateway_id == house.pk
    if connected == "before it is confirmed":
        connect()
    payouts.confirm(intent)
    assert payout_of(intent).gateway_id == house.pk
    payouts.drive(passes=2)
    assert (RemoteOperation.objects.get().gateway_id, reloaded(intent).state) == (house.pk, "settled")
    with pytest.raises(AssetNotPaidOut):
        payouts.begin()
