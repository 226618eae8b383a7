"""Breaks to plant: several of every type, each on an order of its own, with the record that must be named."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.controls import clock, drains, references
from ledger.models import Account, Transaction
from orders.models import Order, Return, ReviewCase
from orders.operations import review_case
from orders.operations.return_trade import return_trade
from reconciliation.models import StatementLine, StatementSource
from tests.orders.desk import reloaded, trade_of
from tests.orders.wallet import lost_before
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import HEADER, bring, operator_source, text
from wallets.gateway_port import RemoteRequest
from wallets.models import RemoteOperation
from wallets.remote_operations import look_up


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
    day.plant(
        "INSERT INTO ledger_queuedevent (event_id, aggregate, sequence, available_at, attempts, last_error, dead_at)"
        " SELECT id, aggregate, sequence, recorded_at, 9, '', recorded_at FROM ledger_event WHERE aggregate = %s"
        " ON CONFLICT (event_id) DO UPDATE SET dead_at = excluded.dead_at",
        trade.reference,
    )
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


def _statement_names_an_order_of_nobody(day: Day, order: Order) -> str:
    source = StatementSource.objects.filter(code="acme-wallet").first() or operator_source()
    bring(source, text(HEADER, [f"{order.reference},{DATE.isoformat()},100.00,debit,nobodys,,"]))
    return StatementLine.objects.get(line_id=order.reference).reference


def _statement_shows_a_reverse(day: Day, order: Order) -> str:
    return _statement_shows(day, order, direction="reverse", key="")


def _statement_shows_another_debit(day: Day, order: Order) -> str:
    return _statement_shows(day, order, direction="debit", key=f"{order.reference}:debit:v2")


def _second_trade(day: Day, order: Order) -> str:
    reference = references.new(references.Prefix.TRADE)
    day.plant(
        "INSERT INTO orders_trade (reference, environment, operator_id, version, created_at, updated_at, state,"
        " order_reference, quote_reference, pool_id, pool_code, idempotency_key, hold_key, retry_of, terms, ended_at)"
        " SELECT %s, environment, operator_id, version, created_at, updated_at, state, order_reference,"
        " quote_reference, pool_id, pool_code, idempotency_key, %s, '', terms, ended_at"
        " FROM orders_trade WHERE order_reference = %s ORDER BY id LIMIT 1",
        reference,
        f"{reference}:reserve",
        order.reference,
    )
    return reference


def _conflicting_request(day: Day, order: Order) -> str:
    for replay, status in (("first", 202), ("conflict", 409)):
        day.plant(
            "INSERT INTO wallets_apirequest (request_id, operator_id, environment, key_id, method, route, subject,"
            " idempotency_key, replay, status, duration_ms, received_at) SELECT %s, operator_id, environment, 1, 'POST',"
            " '/v1/orders', CASE WHEN %s = 'first' THEN reference ELSE '' END, idempotency_key, %s, %s, 3, created_at"
            " FROM orders_order WHERE reference = %s",
            f"req_{replay}",
            replay,
            replay,
            status,
            order.reference,
        )
    return order.reference


def inbound_event(day: Day, order: Order, *, state: str, subjects: str = "[]") -> str:
    reference = references.new(references.Prefix.EVENT)
    day.plant(
        "INSERT INTO webhooks_inboundevent (reference, environment, operator_id, version, created_at, updated_at, state,"
        " provider_id, provider_code, provider_event_id, kind, subjects, provider_transaction, body, payload_reference,"
        " headers, request_id, available_at, attempts, reason) SELECT %s, environment, operator_id, 1, created_at,"
        " created_at, %s, 1, 'bank', %s, 'payin.collected', %s::jsonb, '', '', '', '{}', '', created_at, 9, ''"
        " FROM orders_order WHERE reference = %s",
        reference,
        state,
        reference,
        subjects,
        order.reference,
    )
    return reference


def _event_never_applied(day: Day, order: Order) -> str:
    return inbound_event(day, order, state="dead")


def _provider_transaction_not_booked(day: Day, order: Order) -> str:
    reference = inbound_event(day, order, state="applied")
    day.plant(
        "INSERT INTO webhooks_providertransaction (provider_id, reference, kind, event_reference, booked_at)"
        " VALUES (1, %s, 'payin', %s, now())",
        f"theirs-{reference}",
        reference,
    )
    return reference


def _every_posting_deleted(day: Day, order: Order) -> str:
    day.plant(
        "DELETE FROM ledger_posting p USING ledger_transaction x WHERE p.transaction_id = x.id AND x.subject = %s",
        order.reference,
    )
    return trade_of(order).reference


def _still_reserved(day: Day, order: Order) -> str:
    return trade_of(order).reference


def _queued(day: Day) -> Order:
    day.desk.wallet.script = []
    return day.desk.order()


def _returned(day: Day) -> Order:
    """Its trade was taken back by the venue, and people said so."""
    order = day.processed()
    found = return_trade(trade_reference=trade_of(order).reference, reason="told", actor="user:lena", now=clock.now())
    case = ReviewCase.objects.get(subject=found.reference)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="adjust",
        reason="the venue says so",
        actor="user:olga",
        now=clock.now(),
    )
    assert trade_of(order).state == "returned"
    return order


def _adjustment_deleted(day: Day, order: Order) -> str:
    found = Return.objects.get(order_reference=order.reference)
    day.plant("DELETE FROM ledger_transaction WHERE subject = %s", found.reference)
    return trade_of(order).reference


def _adjustments_postings_deleted(day: Day, order: Order) -> str:
    found = Return.objects.get(order_reference=order.reference)
    day.plant(
        "DELETE FROM ledger_posting p USING ledger_transaction x WHERE p.transaction_id = x.id AND x.subject = %s",
        found.reference,
    )
    return trade_of(order).reference


def _adjustment_of_another_amount(day: Day, order: Order) -> str:
    found = Return.objects.get(order_reference=order.reference)
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = amount_minor + 1 FROM ledger_transaction x"
        " WHERE p.transaction_id = x.id AND x.subject = %s AND p.position = 0",
        found.reference,
    )
    return found.reference


def _book(day: Day, event_type: str, *, subject: str, refs: str, debit: str = "fx:EUR", credit: str = "@world") -> str:
    """Plant a transaction with one posting; return its ledger id."""
    start = Transaction.objects.order_by("effective_at").last()
    assert start is not None
    found = day.superuser.execute(
        "WITH x AS (INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,"
        " effective_at, recorded_at) VALUES (uuidv7(), %s, %s, %s, 'plain', %s, %s::jsonb, '{}', '', %s, %s) RETURNING id)"
        " INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, debit_account_id, credit_account_id,"
        " asset, amount_minor) SELECT uuidv7(), x.id, 0, d.book_id, 'posted', d.id, c.id, 'EUR', 777 FROM x"
        " JOIN ledger_account d ON d.book_id = %s AND d.address = %s AND d.asset = 'EUR'"
        " JOIN ledger_account c ON c.book_id = %s AND c.address = %s AND c.asset = 'EUR' RETURNING id",
        [
            *(start.book_id, references.new(references.Prefix.REQUEST), event_type, subject, refs),
            *(start.effective_at, start.effective_at, start.book_id, debit, start.book_id, credit),
        ],
    ).fetchone()
    assert found is not None
    return f"led_{found[0].hex}"


def _settlement_of_nobody(day: Day, order: Order) -> str:
    return _book(day, "TRADE_SETTLE", subject="ord_nowhere", refs='{"order": "ord_nowhere", "trade": "trd_nowhere"}')


def _adjustment_nobody_approved(day: Day, order: Order) -> str:
    return _book(day, "MANUAL_ADJUSTMENT", subject="adj_1", refs='{"approval": "apr_nowhere"}')


def _funding_nobody_asked_for(day: Day, order: Order) -> str:
    return _book(day, "OPENING_BALANCE", subject="opening_1", refs="{}")


def _collection_of_no_event(day: Day, order: Order) -> str:
    return _book(day, "PAYIN_COLLECTION", subject="evt_nowhere", refs="{}")


def _transfer_of_no_intent(day: Day, order: Order) -> str:
    return _book(day, "TRANSFER_SETTLE", subject="int_nowhere", refs="{}")


def _left_in_transit(day: Day, order: Order) -> str:
    """Somebody approved to take it out of the order's transit."""
    approval = references.new(references.Prefix.APPROVAL)
    day.plant(
        "INSERT INTO ledger_approval (reference, environment, kind, subject, subject_version, content, reason, decision,"
        " decision_reason, maker, checker, proposed_at, decided_at) VALUES (%s, 'test', 'ledger_posting', %s, 1, '{}', 'x',"
        " 'approved', 'x', 'user:a', 'user:b', now(), now())",
        approval,
        approval,
    )
    transit = trade_of(order).terms["accounts"]["transit"]
    refs = f'{{"approval": "{approval}"}}'
    _book(day, "MANUAL_ADJUSTMENT", subject=order.reference, refs=refs, debit=transit)
    return order.reference


def _attempt(day: Day, order: Order, outcome: str) -> str:
    operation = RemoteOperation.objects.filter(owner=order.reference).earliest("pk")
    day.plant(
        "INSERT INTO wallets_remoteattempt (operation_id, number, kind, request_id, started_at, duration_ms, outcome,"
        " detail, late, question, excerpt) VALUES (%s, 99, 'lookup', '', now(), 1, %s, '', false, '', '')",
        operation.pk,
        outcome,
    )
    return operation.reference


def _answer_confirms_what_we_say_was_rejected(day: Day, order: Order) -> str:
    return _attempt(day, order, "confirmed")


def _later_answer_denies_what_we_say_was_confirmed(day: Day, order: Order) -> str:
    return _attempt(day, order, "rejected")


def _movement_of_another_amount(day: Day, order: Order) -> str:
    day.plant("UPDATE wallets_remoteoperation SET amount_minor = 9999 WHERE owner = %s", order.reference)
    return RemoteOperation.objects.get(owner=order.reference).reference


def _applied_late(day: Day) -> Order:
    """Failed in review, its debit proven absent; then the wallet applied it after all."""
    day.desk.wallet.legs = {"debit": [lost_before, None]}
    order = day.desk.order()
    day.desk.drive(passes=12)
    day.desk.wallet.legs = {}
    case = ReviewCase.objects.exclude(state="resolved").get(subject=order.reference)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="debit_absent",
        reason="as the lookups show",
        actor="user:olga",
        now=clock.now(),
    )
    assert reloaded(order).state == "failed"
    key = RemoteOperation.objects.get(owner=order.reference).key
    day.desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
    look_up(key)
    drains.drain("relay")
    return reloaded(order)


def _late_return(day: Day, order: Order) -> str:
    return Return.objects.get(order_reference=order.reference, state="open").reference


def _balance_off(address: str, asset: str) -> Callable[[Day, Order], str]:
    def plant(day: Day, order: Order) -> str:
        day.plant(
            "UPDATE ledger_account SET credits_posted = credits_posted + 5 WHERE address = %s AND asset = %s",
            address,
            asset,
        )
        return f"account:{Account.objects.get(address=address, asset=asset).pk}"

    plant.__name__ = f"balance of {address} {asset} off"
    return plant


def _hold_opened_again(day: Day, order: Order) -> str:
    trade = trade_of(order)
    day.plant(
        "UPDATE ledger_hold h SET state = 'open', ended_by = NULL, ended_at = NULL FROM ledger_transaction x"
        " WHERE x.id = h.transaction_id AND x.key = %s",
        trade.hold_key,
    )
    return trade.hold_key


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
_DUPLICATE = (_second_trade, _conflicting_request)
_BARE = (_every_posting_deleted, _provider_transaction_not_booked)
_JOINLESS = (
    _settlement_of_nobody,
    _adjustment_nobody_approved,
    _funding_nobody_asked_for,
    _collection_of_no_event,
    _transfer_of_no_intent,
)
_DISAGREES = (_later_answer_denies_what_we_say_was_confirmed, _movement_of_another_amount)
_UNBALANCED = (_balance_off("revenue:orders", "EUR"), _balance_off("pools:EUR-USDT", "USDT"))

BREAKS = [
    *(Break("missing_quote", plant.__name__, _processed, plant) for plant in _MISSING_QUOTE),
    Break("missing_quote", "of a statement's line", _processed, _statement_names_an_order_of_nobody),
    *(Break("missing_trade", plant.__name__, _processed, plant) for plant in _MISSING_TRADE),
    *(Break("missing_webhook", plant.__name__, _processed, plant) for plant in _MISSING_WEBHOOK),
    Break("missing_webhook", "event of a released trade deleted", Day.failed, _event_deleted),
    Break("missing_webhook", "event never applied", _processed, _event_never_applied),
    *(Break("duplicate_trade_attempt", plant.__name__, _processed, plant) for plant in _DUPLICATE),
    *(Break("webhook_without_ledger_row", plant.__name__, _processed, plant) for plant in _BARE),
    Break("webhook_without_ledger_row", "nothing of a released trade", Day.failed, _every_posting_deleted),
    *(Break("ledger_mismatch", plant.__name__, _processed, plant) for plant in _LEDGER_MISMATCH),
    Break("ledger_mismatch", "adjustment differs", _returned, _adjustment_of_another_amount),
    Break("ledger_mismatch", "release deleted", Day.failed, _release_deleted),
    Break("ledger_mismatch", "compensation differs", Day.compensated, _compensation_of_another_amount),
    Break("ledger_row_without_terminal_trade", "in review", Day.in_review, _still_reserved),
    Break("returned_trade_without_adjustment", "adjustment deleted", _returned, _adjustment_deleted),
    Break("returned_trade_without_adjustment", "its postings deleted", _returned, _adjustments_postings_deleted),
    *(Break("terminal_state_conflict", plant.__name__, _processed, plant) for plant in _CONFLICT),
    Break("terminal_state_conflict", "failed, yet debited", Day.failed, _operator_says_debited),
    *(Break("statement_line_unmatched", plant.__name__, _processed, plant) for plant in _UNMATCHED),
    Break("terminal_state_conflict", "not given back", Day.compensated, _operator_says_not_given_back),
    *(Break("posting_that_joins_to_nothing", plant.__name__, _processed, plant) for plant in _JOINLESS),
    Break(
        "remote_operation_disagrees", "confirmed, not rejected", Day.failed, _answer_confirms_what_we_say_was_rejected
    ),
    *(Break("remote_operation_disagrees", plant.__name__, _processed, plant) for plant in _DISAGREES),
    Break("late_effect", "a debit", _applied_late, _late_return),
    Break("late_effect", "another debit", _applied_late, _late_return),
    Break("transit_not_zero", "of a buy", _processed, _left_in_transit),
    Break("transit_not_zero", "of a compensated one", Day.compensated, _left_in_transit),
    *(Break("balance_is_not_the_fold", plant.__name__, _processed, plant) for plant in _UNBALANCED),
    Break("hold_without_owner", "settled", _processed, _hold_opened_again),
    Break("hold_without_owner", "given back", Day.compensated, _hold_opened_again),
    Break(
        "ledger_row_without_terminal_trade", "just submitted", _queued, _still_reserved
    ),  # the last: nobody drives it on
]


def plant_all(day: Day, orders: list[tuple[Break, Order]]) -> set[tuple[str, str]]:
    """Plant every break; what changed postings is wrong from its birth, but for the balances that are planted."""
    late = [(planted, order) for planted, order in orders if planted.type == "balance_is_not_the_fold"]
    early = [(planted, order) for planted, order in orders if planted.type != "balance_is_not_the_fold"]
    found = {(planted.type, planted.plant(day, order)) for planted, order in early}
    day.refold()
    return found | {(planted.type, planted.plant(day, order)) for planted, order in late}
