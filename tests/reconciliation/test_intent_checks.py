"""Transfers, payouts and pay-ins in a close: none of their ends is a false break; each planted break is found, alone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from ledger.controls import clock
from orders.models import Freeze, Intent, PayIn
from reconciliation import close_runs
from reconciliation.close_runs import Report
from reconciliation.models import ExceptionCase
from tests.orders.conftest import bank, fixed_clock, payouts, till
from tests.orders.desk import START
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.test_pay_ins import Psp, psp, shop
from tests.orders.till import Till
from tests.orders.wallet import declined, lost_before, pending
from tests.reconciliation.conftest import files
from tests.reconciliation.day import Day
from wallets.models import RemoteOperation, Wallet

__all__ = ["bank", "files", "fixed_clock", "payouts", "psp", "shop", "till"]

pytestmark = pytest.mark.usefixtures("database", "files")


@pytest.fixture
def plain(superuser_connection: psycopg.Connection, files: Path) -> Day:
    superuser_connection.execute("SET session_replication_role = replica")
    return Day(None, superuser_connection, files)  # type: ignore[arg-type]  # these days have no orders


def _close() -> Report:
    return close_runs.run(close=close_runs.ensure(environment="test", business_date=START.date()))


def _found() -> list[tuple[str, str]]:
    live = ExceptionCase.objects.filter(state__in=["open", "assigned"])
    return sorted(live.values_list("type", "subject"))


def _ended_in_every_way(payouts: PayoutDesk, till: Till, psp: Psp, shop: Wallet) -> dict[str, Intent]:
    ended = {}
    payouts.bank.script = []
    ended["settled"] = payouts.pay("1000.00")
    payouts.drive(passes=2, pause=timedelta(seconds=1))
    payouts.bank.script = [declined]
    ended["failed"] = payouts.pay("10.00")
    payouts.drive(passes=2, pause=timedelta(seconds=1))
    payouts.bank.script = []
    ended["cancelled"] = payouts.cancel(payouts.pay("5.00", confirm=False))
    alice, bob = till.wallet("alice", funds=100_000), till.wallet("bob")
    ended["transferred"] = till.pay(alice, bob, "12.50")
    psp.collects(shop)
    psp.gives_back("40.00")
    psp.takes_back("10.00")
    states = {name: Intent.objects.get(reference=one.reference).state for name, one in ended.items()}
    assert states == {"settled": "settled", "failed": "failed", "cancelled": "cancelled", "transferred": "settled"}
    return ended


def test_close_finds_nothing_when_intents_and_pay_ins_have_ended_in_every_way(
    payouts: PayoutDesk, till: Till, psp: Psp, shop: Wallet
) -> None:
    _ended_in_every_way(payouts, till, psp, shop)
    report = _close()
    assert list(ExceptionCase.objects.values_list("type", "detail")) == []
    assert sum(report.breaks.values()) == 0
    assert set(report.zero_sum.values()) == {0}
    assert report.records["movement_report"] == 7


def test_a_payout_within_its_gateways_pending_horizon_is_in_flight_and_no_break(payouts: PayoutDesk) -> None:
    payouts.bank.script = [pending]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=2, pause=timedelta(seconds=1))
    report = _close()
    assert (report.in_flight, _found()) == (1, [])
    payouts.later(hours=2)  # the horizon is an hour
    report = _close()
    assert report.in_flight == 0
    assert _found() == [("ledger_row_without_terminal_trade", intent.reference)]
    payouts.bank.script = [lost_before]
    payouts.drive(passes=60)
    assert _close().breaks["ledger_row_without_terminal_trade"] == 1  # a case is open; it holds the close


def _settlement_deleted(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    intent = ended["settled"]
    day.plant("DELETE FROM ledger_transaction WHERE subject = %s AND event_type = 'PAYOUT_SETTLE'", intent.reference)
    return "ledger_mismatch", intent.reference


def _paid_though_failed(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    owner = payout_of(ended["failed"]).reference
    day.plant("UPDATE wallets_remoteoperation SET state = 'confirmed' WHERE owner = %s", owner)
    return "terminal_state_conflict", ended["failed"].reference


def _transfer_of_another_amount(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    intent = ended["transferred"]
    day.plant("UPDATE orders_intent SET debit_minor = debit_minor + 1 WHERE reference = %s", intent.reference)
    return "ledger_mismatch", intent.reference


def _half_a_transfer(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    """Taken from the payer and never given to the payee."""
    intent = ended["transferred"]
    day.plant(
        "DELETE FROM ledger_posting p USING ledger_transaction x, ledger_account d WHERE p.transaction_id = x.id"
        " AND d.id = p.debit_account_id AND x.subject = %s AND x.event_type = 'TRANSFER_SETTLE'"
        " AND d.address LIKE 'transit:%%'",
        intent.reference,
    )
    return "transit_not_zero", intent.reference


def _event_deleted(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    intent = ended["settled"]
    day.plant("DELETE FROM ledger_event WHERE aggregate = %s AND topic = 'intent.SETTLED'", intent.reference)
    return "missing_webhook", intent.reference


def _intent_overwritten(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    intent = ended["cancelled"]
    day.plant("UPDATE orders_intent SET state = 'created' WHERE reference = %s", intent.reference)
    return "terminal_state_conflict", intent.reference


def _pay_in_of_another_amount(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    pay_in = PayIn.objects.get(kind="collected")
    day.plant("UPDATE orders_payin SET gross_minor = gross_minor + 1 WHERE reference = %s", pay_in.reference)
    return "ledger_mismatch", pay_in.reference


def _pay_in_not_booked(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    pay_in = PayIn.objects.get(kind="refunded")
    day.plant("DELETE FROM ledger_transaction WHERE subject = %s", pay_in.reference)
    return "webhook_without_ledger_row", pay_in.reference


def _pay_in_of_no_event(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    pay_in = PayIn.objects.get(kind="charged_back")
    found = day.superuser.execute(
        "SELECT p.id FROM ledger_posting p JOIN ledger_transaction x ON x.id = p.transaction_id"
        " WHERE x.subject = %s AND p.position = 0",
        [pay_in.reference],
    ).fetchone()
    assert found is not None
    day.plant("DELETE FROM webhooks_inboundevent WHERE reference = %s", pay_in.inbound_event)
    return "posting_that_joins_to_nothing", f"led_{found[0].hex}"


def _credited_to(day: Day, subject: str, address: str, more: int) -> None:
    """Move `more` of what a posting credits to this account away from it, or to it."""
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = p.amount_minor + %s FROM ledger_transaction x, ledger_account c"
        " WHERE p.transaction_id = x.id AND c.id = p.credit_account_id AND x.subject = %s AND c.address = %s",
        more,
        subject,
        address,
    )


def _fee_booked_as_vat(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    """The gross is right, and so is transit: what is ours went to the tax office."""
    pay_in = PayIn.objects.get(kind="collected")
    assert pay_in.fee_minor > 1
    _credited_to(day, pay_in.reference, "revenue:payin", -1)
    _credited_to(day, pay_in.reference, "liabilities:vat", 1)
    return "ledger_mismatch", pay_in.reference


def _fee_of_a_transfer_given_to_the_payee(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    intent = Intent.objects.get(reference=ended["transferred"].reference)
    day.plant(
        "UPDATE orders_intent SET fee_minor = fee_minor + 1, credit_minor = credit_minor - 1 WHERE id = %s", intent.pk
    )
    return "ledger_mismatch", intent.reference


def _payout_said_withdrawn(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    owner = payout_of(ended["settled"]).reference
    day.plant("UPDATE wallets_remoteoperation SET state = 'withdrawn' WHERE owner = %s", owner)
    return "terminal_state_conflict", ended["settled"].reference


def _payout_of_another_amount(day: Day, ended: dict[str, Intent]) -> tuple[str, str]:
    owner = payout_of(ended["settled"]).reference
    day.plant("UPDATE wallets_remoteoperation SET amount_minor = amount_minor + 1 WHERE owner = %s", owner)
    return "remote_operation_disagrees", RemoteOperation.objects.get(owner=owner).reference


_PLANTS = (
    *(_settlement_deleted, _paid_though_failed, _transfer_of_another_amount, _half_a_transfer, _event_deleted),
    *(_intent_overwritten, _pay_in_of_another_amount, _pay_in_not_booked, _pay_in_of_no_event),
    *(_payout_of_another_amount, _fee_booked_as_vat, _fee_of_a_transfer_given_to_the_payee, _payout_said_withdrawn),
)


@pytest.mark.parametrize("plant", _PLANTS, ids=lambda plant: plant.__name__)
def test_close_finds_a_planted_break_of_an_intent_or_pay_in_alone(
    plant: Callable[[Day, dict[str, Intent]], tuple[str, str]],
    plain: Day,
    payouts: PayoutDesk,
    till: Till,
    psp: Psp,
    shop: Wallet,
) -> None:
    expected = plant(plain, _ended_in_every_way(payouts, till, psp, shop))
    plain.refold()
    _close()
    assert _found() == [expected]
    case = ExceptionCase.objects.get(state="open")
    assert case.asset in ("EUR", "THB")
    assert case.amount_minor > 0
    assert clock.now() >= START


def test_close_tells_of_a_payment_that_was_refunded_and_charged_back(psp: Psp, shop: Wallet, files: Path) -> None:
    with clock.use(clock.FixedClock(START)):
        psp.collects(shop)
        psp.gives_back("60.00")
        psp.takes_back("100.00")
        _close()
    beyond = PayIn.objects.get(kind="charged_back")
    assert _found() == [("more_given_back_than_collected", beyond.reference)]
    case = ExceptionCase.objects.get()
    assert (case.asset, int(case.amount_minor)) == ("EUR", 6_000)
    assert (case.detail["collected"], case.detail["given_back"]) == (10_000, 16_000)


@pytest.mark.parametrize("days", [0, 3])
def test_a_delivery_of_an_intents_end_that_dies_is_named_by_the_close_of_its_date_and_of_the_day_it_dies(
    days: int, plain: Day, till: Till
) -> None:
    one = till.pay(till.wallet("alice", funds=100_000), till.wallet("bob"), "12.50")
    plain.plant(
        "INSERT INTO webhooks_delivery (reference, environment, operator_id, version, created_at, updated_at, state,"
        " endpoint_id, event_id, event_reference, topic, aggregate, sequence, attempts, available_at, lease_token, ended_at)"
        " SELECT 'dlv_1', environment, operator_id, 2, recorded_at, recorded_at, 'dead', 1, id, reference, topic, aggregate,"
        " sequence, 9, recorded_at, '', recorded_at + %s FROM ledger_event WHERE aggregate = %s AND topic = 'intent.SETTLED'",
        timedelta(days=days),
        one.reference,
    )
    on = START.date() + timedelta(days=days)
    found = []
    with clock.use(clock.FixedClock(START + timedelta(days=5))):
        for day in (START.date(), on, on + timedelta(days=1)):
            report = close_runs.run(close=close_runs.ensure(environment="test", business_date=day))
            found.append(report.breaks["missing_webhook"])
    assert found == [1, 1, 0]
    case = ExceptionCase.objects.get()
    assert (case.type, case.subject, int(case.amount_minor)) == ("missing_webhook", one.reference, 1_250)


def test_an_authorized_payout_whose_hold_is_gone_is_found(plain: Day, payouts: PayoutDesk) -> None:
    payouts.bank.script = [pending]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=2, pause=timedelta(seconds=1))
    key = payout_of(intent).hold_key
    plain.plant(
        "UPDATE ledger_hold h SET state = 'voided', ended_by = h.transaction_id, ended_at = now() FROM ledger_transaction x"
        " WHERE x.id = h.transaction_id AND x.key = %s",
        key,
    )
    _close()
    assert ("hold_without_owner", key) in _found()
    case = ExceptionCase.objects.get(type="hold_without_owner")
    assert (case.order_reference, case.asset, case.detail["hold"]) == (intent.reference, "THB", "voided")


def test_an_intent_is_frozen_when_its_states_conflict(
    plain: Day, payouts: PayoutDesk, till: Till, psp: Psp, shop: Wallet
) -> None:
    ended = _ended_in_every_way(payouts, till, psp, shop)
    _intent_overwritten(plain, ended)
    for _ in range(2):
        _close()
        assert list(Freeze.objects.values_list("subject", "reason", "frozen_by")) == [
            (ended["cancelled"].reference, "terminal state conflict", "close")
        ]
