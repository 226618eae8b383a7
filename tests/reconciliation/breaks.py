"""Breaks to plant: several of every type, each on an order of its own, with the record that must be named."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.controls import references
from orders.models import Order
from reconciliation.models import StatementLine, StatementSource
from tests.orders.desk import trade_of
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import HEADER, bring, operator_source, text


@dataclass(frozen=True)
class Break:
    """`order` makes the order, `plant` breaks it and returns the reference of the record that breaks."""

    type: str
    title: str
    order: Callable[[Day], Order]
    plant: Callable[[Day, Order], str]


def _processed(day: Day) -> Order:
    return day.processed()


def _quote_id_absent(day: Day, order: Order) -> str:
    day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)
    return order.reference


def _quote_deleted(day: Day, order: Order) -> str:
    day.plant("DELETE FROM orders_quote WHERE reference = %s", order.quote_reference)
    return order.reference


def _quote_of_nobody(day: Day, order: Order) -> str:
    day.plant("UPDATE orders_order SET quote_reference = 'quo_nowhere' WHERE reference = %s", order.reference)
    return order.reference


def _trade_deleted(day: Day, order: Order) -> str:
    day.plant("DELETE FROM orders_trade WHERE order_reference = %s", order.reference)
    return order.reference


def _trade_and_quote_deleted(day: Day, order: Order) -> str:
    day.plant("DELETE FROM orders_trade WHERE order_reference = %s", order.reference)
    day.plant("DELETE FROM orders_quote WHERE reference = %s", order.quote_reference)
    return order.reference


def _trade_on_another_quote(day: Day, order: Order) -> str:
    day.plant("UPDATE orders_trade SET quote_reference = 'quo_other' WHERE order_reference = %s", order.reference)
    return order.quote_reference


def _event_deleted(day: Day, order: Order) -> str:
    trade = trade_of(order)
    topic = f"trade.{trade.state}"
    day.plant("DELETE FROM ledger_event WHERE aggregate = %s AND topic = %s", trade.reference, topic)
    return trade.reference


def _delivery_dead(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant(
        "INSERT INTO webhooks_delivery (reference, environment, operator_id, version, created_at, updated_at, state,"
        " endpoint_id, event_id, event_reference, topic, aggregate, sequence, attempts, available_at, lease_token)"
        " SELECT %s, environment, operator_id, 1, recorded_at, recorded_at, 'dead', 1, id, reference, topic, aggregate,"
        " sequence, 9, recorded_at, '' FROM ledger_event WHERE aggregate = %s AND topic = 'trade.settled'",
        references.new(references.Prefix.DELIVERY),
        trade.reference,
    )
    return trade.reference


def _relay_gave_up(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant("UPDATE ledger_queuedevent SET dead_at = available_at WHERE aggregate = %s", trade.reference)
    return trade.reference


def _settlement_deleted(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant(
        "DELETE FROM ledger_posting p USING ledger_transaction x WHERE p.transaction_id = x.id AND x.subject = %s"
        " AND x.event_type = 'TRADE_SETTLE'",
        order.reference,
    )
    return trade.reference


def _amount_off_by_one(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = amount_minor + 1 FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.key = %s AND p.position = 0",
        f"{trade.reference}:settle",
    )
    return trade.reference


def _other_asset(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant(
        "UPDATE ledger_posting p SET asset = 'USD' FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.key = %s AND p.position = 0",
        trade.hold_key,
    )
    return trade.reference


def _line_too_many(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant(
        "INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, pending_id, debit_account_id,"
        " credit_account_id, asset, amount_minor) SELECT uuidv7(), p.transaction_id, 99, p.book_id, p.kind, uuidv7(),"
        " p.debit_account_id, p.credit_account_id, p.asset, p.amount_minor FROM ledger_posting p"
        " JOIN ledger_transaction x ON x.id = p.transaction_id WHERE x.key = %s AND p.position = 0",
        f"{trade.reference}:settle",
    )
    return trade.reference


def _release_deleted(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant("DELETE FROM ledger_transaction WHERE key = %s", f"{trade.reference}:release")
    return trade.reference


def _debit_posting_deleted(day: Day, order: Order) -> str:
    day.plant("DELETE FROM ledger_transaction WHERE key = %s", f"{order.reference}:debit_confirmed")
    return order.reference


def _compensation_of_another_amount(day: Day, order: Order) -> str:
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = 1 FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.key = %s",
        f"{order.reference}:compensation",
    )
    return order.reference


def _order_overwritten(day: Day, order: Order) -> str:
    day.plant("UPDATE orders_order SET state = 'failed' WHERE reference = %s", order.reference)
    return order.reference


def _trade_moved_backward(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant("UPDATE orders_trade SET state = 'reserved' WHERE reference = %s", trade.reference)
    return trade.reference


def _quote_active_again(day: Day, order: Order) -> str:
    day.plant("UPDATE orders_quote SET state = 'active' WHERE reference = %s", order.quote_reference)
    return order.quote_reference


def _moved_out_of_terminal(day: Day, order: Order) -> str:
    day.plant(
        "INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor,"
        " cause, request_id, event_reference, moved_at) SELECT environment, operator_id, machine, subject,"
        " sequence + 1, to_state, 'queued', actor, cause, request_id, event_reference, moved_at FROM ledger_move"
        " WHERE subject = %s AND to_state = 'processed'",
        order.reference,
    )
    day.plant("UPDATE orders_order SET state = 'queued', version = version + 1 WHERE reference = %s", order.reference)
    return order.reference


def _operator_says_debited(day: Day, order: Order) -> str:
    day.plant("UPDATE wallets_remoteoperation SET state = 'confirmed' WHERE owner = %s", order.reference)
    return order.reference


def _operator_says_not_debited(day: Day, order: Order) -> str:
    day.plant("UPDATE wallets_remoteoperation SET state = 'rejected' WHERE owner = %s", order.reference)
    return order.reference


def _operator_says_not_given_back(day: Day, order: Order) -> str:
    day.plant(
        "UPDATE wallets_remoteoperation SET state = 'rejected' WHERE owner = %s AND leg = 'reverse'", order.reference
    )
    return order.reference


def _statement_shows(day: Day, order: Order, *, direction: str, key: str) -> str:
    """The operator's statement has a movement of the order's that our book does not."""
    source = StatementSource.objects.filter(code="acme-wallet").first() or operator_source()
    row = f"{order.reference},{DATE.isoformat()},100.00,{direction},{order.partner_order_id},{key},"
    bring(source, text(HEADER, [row]))
    return StatementLine.objects.get(line_id=order.reference).reference


def _statement_shows_a_reverse(day: Day, order: Order) -> str:
    return _statement_shows(day, order, direction="reverse", key="")


def _statement_shows_another_debit(day: Day, order: Order) -> str:
    return _statement_shows(day, order, direction="debit", key=f"{order.reference}:debit:v2")


_MISSING_QUOTE = (_quote_id_absent, _quote_deleted, _quote_of_nobody, _trade_and_quote_deleted)
_MISSING_TRADE = (_trade_deleted, _trade_on_another_quote)
_MISSING_WEBHOOK = (_event_deleted, _delivery_dead, _relay_gave_up)
_LEDGER_MISMATCH = (_settlement_deleted, _amount_off_by_one, _other_asset, _line_too_many, _debit_posting_deleted)
_CONFLICT = (
    _order_overwritten,
    _trade_moved_backward,
    _quote_active_again,
    _moved_out_of_terminal,
    _operator_says_not_debited,
)

_UNMATCHED = (_statement_shows_a_reverse, _statement_shows_another_debit)

BREAKS = [
    *(Break("missing_quote", plant.__name__, _processed, plant) for plant in _MISSING_QUOTE),
    *(Break("missing_trade", plant.__name__, _processed, plant) for plant in _MISSING_TRADE),
    *(Break("missing_webhook", plant.__name__, _processed, plant) for plant in _MISSING_WEBHOOK),
    Break("missing_webhook", "event of a released trade deleted", Day.failed, _event_deleted),
    *(Break("ledger_mismatch", plant.__name__, _processed, plant) for plant in _LEDGER_MISMATCH),
    Break("ledger_mismatch", "release deleted", Day.failed, _release_deleted),
    Break("ledger_mismatch", "compensation differs", Day.compensated, _compensation_of_another_amount),
    *(Break("terminal_state_conflict", plant.__name__, _processed, plant) for plant in _CONFLICT),
    Break("terminal_state_conflict", "failed, yet debited", Day.failed, _operator_says_debited),
    *(Break("statement_line_unmatched", plant.__name__, _processed, plant) for plant in _UNMATCHED),
    Break("terminal_state_conflict", "not given back", Day.compensated, _operator_says_not_given_back),
]
