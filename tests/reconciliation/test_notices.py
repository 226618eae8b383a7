"""Notices: raised once, told once, and told again only when telling failed."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core import mail
from django.db import transaction as db_transaction
from pytest_django.fixtures import Settings

from ledger.controls import clock
from ledger.controls.clock import FixedClock
from ledger.controls.moves import Birth, Why, move
from ledger.money import Money
from orders.models import ReviewCase
from reconciliation import close_runs, notices
from reconciliation.models import CloseRun, ExceptionCase, Notice
from tests.reconciliation.day import Day
from tests.wallets.rules import fee, in_force
from tests.webhooks.receiver import Answer, running_receiver
from wallets.conditions import ConditionFailed
from wallets.models import RuleFailure
from wallets.pricing import price
from webhooks import notices as endpoint_notices
from webhooks.models import Notice as EndpointNotice

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _mailbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.NOTICE_EMAILS = ["ops@example.com"]
    mail.outbox = []


def _review(reference: str = "rev_1", **given: object) -> None:
    case = ReviewCase(
        **given,
        reference=reference,
        environment="test",
        subject="ord_1",
        reason="debit_unknown",
        next_action="Look it up.",
        asset="EUR",
        amount_minor=100,
    )
    with db_transaction.atomic():
        move(Birth(case), why=Why("test", "planted"), now=NOW)


def test_open_review_is_told_once_when_the_schedule_looks_again_and_again() -> None:
    with clock.use(FixedClock(NOW)):
        _review()
        assert [notices.work(), notices.work(), notices.work()] == [1, 0, 0]
    told = mail.outbox
    assert [message.subject for message in told] == ["[Holdfast test] Manual review is open"]
    assert told[0].to == ["ops@example.com"]
    assert "rev_1 (debit_unknown)" in told[0].body
    assert Notice.objects.get().sent_at == NOW


def test_disabled_endpoint_is_told_once_and_again_when_it_is_disabled_again() -> None:
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        for _ in range(2):
            EndpointNotice.objects.create(
                environment="test",
                operator_id=7,
                endpoint_reference="ep_1",
                reason="the endpoint answered 410 Gone",
                noticed_at=clock.now(),
            )
            assert [notices.work(), notices.work()] == [1, 0]
            endpoint_notices.settle(endpoint_reference="ep_1", actor="operator:op_1", now=clock.now())
    assert {message.subject for message in mail.outbox} == {"[Holdfast test] A webhook endpoint was disabled"}
    assert len(mail.outbox) == 2
    assert "ep_1 gets nothing any more: the endpoint answered 410 Gone." in mail.outbox[0].body


def test_fee_rule_is_told_once_however_often_its_condition_fails() -> None:
    with clock.use(FixedClock(NOW)):
        in_force(fee(asset="EUR", condition="1 / (amount_minor - amount_minor) > 0"), code="odd")
        for _ in range(2):
            with pytest.raises(ConditionFailed), db_transaction.atomic():
                price(
                    environment="test",
                    operator_id=1,
                    flow="transfer",
                    channel="internal",
                    amount=Money(500, "EUR"),
                    facts={},
                    now=NOW,
                )
            notices.work()
    assert [message.subject for message in mail.outbox] == ["[Holdfast test] A fee rule's condition failed"]
    assert "odd v1 could not be answered (ZeroDivisionError)" in mail.outbox[0].body
    assert Notice.objects.get().subject == RuleFailure.objects.get().rule


def test_late_close_is_told_once_its_grace_is_over(settings: Settings) -> None:
    settings.CLOSE_GRACE = 3600
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        close = close_runs.ensure(environment="test", business_date=date(2026, 3, 14))
        assert notices.work() == 0
        fixed.move_to(close.window_to + timedelta(minutes=59))
        assert notices.work() == 0
        fixed.move_to(close.window_to + timedelta(minutes=60))
        assert notices.work() == 1
        assert notices.work() == 0
    assert Notice.objects.get().subject == close.reference


def test_close_that_nobody_signs_is_late_though_it_has_run(settings: Settings) -> None:
    settings.CLOSE_GRACE, settings.CLOSE_SIGNED_WITHIN = 3600, 7200
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        close = close_runs.ensure(environment="test", business_date=date(2026, 3, 14))
        CloseRun.objects.update(provisional=False, runs=1)
        fixed.move_to(close.window_to + timedelta(hours=3) - timedelta(seconds=1))
        assert notices.work() == 0
        fixed.move_to(close.window_to + timedelta(hours=3))
        assert [notices.work(), notices.work()] == [1, 0]
    assert "could have been signed since" in mail.outbox[0].body
    assert Notice.objects.get().kind == "late_close"


def test_review_date_is_told_once_for_each_date_that_passes() -> None:
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        case = ExceptionCase(
            reference="exc_1",
            environment="test",
            type="missing_trade",
            subject="ord_1",
            business_date=date(2026, 3, 13),
            owner="fiona",
            next_review_on=date(2026, 3, 14),
            first_action="Retrieve it.",
            last_seen_at=NOW,
        )
        with db_transaction.atomic():
            move(Birth(case), why=Why("test", "planted"), now=NOW)
        assert notices.work() == 0, "the date is today"
        fixed.move_to(NOW + timedelta(days=1))
        assert [notices.work(), notices.work()] == [1, 0]
        ExceptionCase.objects.update(next_review_on=date(2026, 3, 16))
        fixed.move_to(NOW + timedelta(days=3))
        assert [notices.work(), notices.work()] == [1, 0]
    assert "by fiona" in mail.outbox[0].body


def test_break_rate_is_told_when_a_final_close_has_more_breaks_than_the_limit(day: Day, settings: Settings) -> None:
    """By what its last run counted: looking every few seconds counts no orders and no cases."""
    settings.BREAK_RATE_LIMIT = 4_999
    broken, _ = day.processed(), day.processed()
    day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", broken.reference)
    day.close()
    day.after_midnight()
    _mute()
    assert notices.work() == 0  # provisional
    close = day.close().close
    tomorrows = day.processed()
    day.plant("UPDATE orders_order SET created_at = %s WHERE reference = %s", broken.created_at, tomorrows.reference)
    settings.BREAK_RATE_LIMIT = 5_000
    assert notices.work() == 0
    settings.BREAK_RATE_LIMIT = 4_999
    assert notices.work() == 1
    assert (Notice.objects.latest("id").kind, Notice.objects.latest("id").subject) == ("break_rate", close.reference)
    assert "1 breaks among 2 orders" in mail.outbox[-1].body
    assert notices.work() == 0


def _mute() -> None:
    """Have what else there is to tell told."""
    for _ in range(3):
        notices.work()


def test_webhook_gets_a_slack_compatible_message(settings: Settings) -> None:
    _review()
    with running_receiver() as receiver:
        settings.OUTBOUND_ALLOW = [("127.0.0.1", receiver.port)]
        settings.NOTICE_WEBHOOK_URL = receiver.url("/slack")
        assert notices.work() == 1
    (received,) = receiver.at("/slack")
    assert json.loads(received.body) == {
        "text": "[Holdfast test] Manual review is open: Manual review rev_1 (debit_unknown) waits: Look it up."
    }


def test_notice_waits_and_is_told_later_when_the_mail_server_is_gone(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        _review()
        assert notices.work() == 0
        waiting = Notice.objects.get()
        assert (waiting.sent_at, waiting.attempts, waiting.last_error) == (None, 1, "ConnectionRefusedError")
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert notices.work() == 0, "not before its pause is over"
        fixed.move_to(NOW + timedelta(minutes=1))
        assert notices.work() == 1
    assert len(mail.outbox) == 1


def test_a_review_that_is_overdue_is_told_once() -> None:
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        _review(due_at=NOW + timedelta(hours=4), owner="olga")
        assert notices.work() == 1
        fixed.move_to(NOW + timedelta(hours=4, seconds=1))
        assert [notices.work(), notices.work()] == [1, 0]
    assert [message.subject for message in mail.outbox[1:]] == ["[Holdfast test] A manual review is overdue"]
    assert "Manual review rev_1 (debit_unknown) was due" in mail.outbox[1].body
    assert mail.outbox[1].body.endswith("its owner is olga.")


def test_a_review_that_nobody_looked_at_on_its_day_is_told_for_each_date() -> None:
    fixed = FixedClock(NOW)
    with clock.use(fixed):
        _review(next_review_on=date(2026, 3, 15))
        assert notices.work() == 1
        fixed.move_to(NOW + timedelta(days=1))
        assert notices.work() == 0
        fixed.move_to(NOW + timedelta(days=2))
        assert [notices.work(), notices.work()] == [1, 0]
        ReviewCase.objects.update(next_review_on=date(2026, 3, 17))
        fixed.move_to(NOW + timedelta(days=4))
        assert notices.work() == 1
    subjects = list(Notice.objects.filter(kind="review_date_passed").order_by("pk").values_list("subject", flat=True))
    assert subjects == ["rev_1@2026-03-15", "rev_1@2026-03-17"]


def test_a_webhook_that_does_not_take_it_brings_no_second_e_mail(settings: Settings) -> None:
    fixed = FixedClock(NOW)
    with clock.use(fixed), running_receiver() as receiver:
        settings.OUTBOUND_ALLOW = [("127.0.0.1", receiver.port)]
        settings.NOTICE_WEBHOOK_URL = receiver.url("/slack")
        receiver.plan("/slack", *[Answer(404)] * 3)
        _review()
        for _ in range(3):
            assert notices.work() == 0
            fixed.move_to(fixed.now() + timedelta(hours=2))
        assert notices.work() == 1
    assert len(mail.outbox) == 1
    assert len(receiver.at("/slack")) == 4
