"""Trace: one order from end to end, found by any id, along the join graph of DESIGN.md section 2. It only reads.

Every hop is a stored id, never an amount or a timestamp. The partner's view names no venue's inside, no account, no
staff and no evidence; the inside view adds them for those who work here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from ledger import assets
from ledger.controls.rest.answers import instant, instant_or_none
from ledger.controls.states import Stateful
from ledger.models import Move, Posting
from orders import answers
from orders.models import Freeze, Intent, Order, Quote, Return, ReviewCase, Trade
from reconciliation.inbound_trace import inbound_events, inbound_rows
from reconciliation.models import ExceptionCase
from wallets.models import ApiRequest, RemoteAttempt, RemoteOperation

MOST: Final = 1000
"""Rows of one kind that a trace shows at most."""

_EVENTS: Final = (Path(__file__).parent / "sql" / "trace_events.sql").read_text(encoding="utf-8")
_FIND: Final = (Path(__file__).parent / "sql" / "find_orders.sql").read_text(encoding="utf-8")
_POSTING: Final = re.compile(r"led_([0-9a-f]{32})")
_LONGEST_ID: Final = 255

Record = dict[str, Any]

_ATTEMPT: Final = (
    *("number", "kind", "request_id", "outcome", "started_at", "duration_ms", "http_status", "late", "detail"),
)


@dataclass(frozen=True, slots=True)
class Walked:
    """A trace, and the rows on its way whose machines a page draws: trades of an order or payouts of an intent, all moves."""

    record: Record
    driven: Sequence[Stateful]
    moves: Sequence[Move]


def find_orders(identifier: str) -> list[Order]:
    """Return the orders that an id names, newest first: theirs or ours, of whatever record. At most 50."""
    wanted = searchable(identifier)
    if not wanted:
        return []
    posting = posting_id(wanted)
    with connection.cursor() as cursor:
        cursor.execute(_FIND, {"id": wanted, "posting": UUID(posting) if posting else None})
        found = [row[0] for row in cursor.fetchall()]
    return list(Order.objects.filter(pk__in=found).order_by("-pk"))


def searchable(identifier: str) -> str:
    """Return an id as it can be looked for, or "" when it can be nobody's."""
    wanted = identifier.strip()
    return "" if len(wanted) > _LONGEST_ID or "\0" in wanted else wanted


def posting_id(wanted: str) -> str:
    """Return the hexadecimal part of a ledger id, or "" where it is none."""
    found = _POSTING.fullmatch(wanted)
    return found[1] if found else ""


def trace_of(order: Order, *, inside: bool) -> Record:
    """Walk the whole join graph of an order. It opens with 0Pools' two records, in their names and order."""
    return walk(order, inside=inside).record


def walk(order: Order, *, inside: bool) -> Walked:
    """Walk it, and hand over the rows that a page draws."""
    quote = Quote.objects.filter(reference=order.quote_reference).first()
    trades = list(Trade.objects.filter(order_reference=order.reference).order_by("pk")[:MOST])
    found_returns = Return.objects.filter(order_reference=order.reference).order_by("pk")
    if not inside:  # a venue's late execution is the house's matter
        found_returns = found_returns.exclude(leg=Return.EXECUTE)
    returns = list(found_returns[:MOST])
    owners = [order.reference, *(found.reference for found in returns)]
    asked = [
        *owners,
        *(trade.reference for trade in trades if inside),
    ]  # a trade's are a venue's: nobody's but the house's
    operations = operations_of(asked)
    cases = list(ReviewCase.objects.filter(subject__in=owners).order_by("pk")[:MOST])
    named = [*owners, order.quote_reference, *(trade.reference for trade in trades), *(one.key for one in operations)]
    inbound = inbound_events(order, named, inside=inside)
    subjects = [
        *owners,
        order.quote_reference,
        *(trade.reference for trade in trades),
        *(operation.reference for operation in operations),
        *(case.reference for case in cases if inside),
        *(event.reference for event in inbound if inside),
    ]
    events = event_rows(subjects, inside=inside)
    ledger = ledger_rows([order.reference, *owners[1:]], trades, inside=inside)
    requests = request_rows(order, subjects)
    moves = moves_of(subjects)
    newest = trades[-1] if trades else None
    traced: Record = {
        "record": _minimal(order, newest, ledger=ledger, events=events, requests=requests),
        "product_record": _product(order, newest),
        "order": answers.order(order, transact_id=newest.reference if newest else ""),
        "quote": answers.quote(quote) if quote else None,
        "trades": [_trade(trade) for trade in trades],
        "ledger": ledger,
        "operations": operation_rows(operations, inside=inside),
        "moves": move_rows(moves, inside=inside),
        "requests": requests,
        "inbound_events": inbound_rows(inbound, inside=inside),
        "events": events,
        "returns": [return_row(found) for found in returns],
    }
    if inside:
        traced["review_cases"] = [review_row(case) for case in cases]
        named_by = ExceptionCase.objects.filter(environment=order.environment, order_reference=order.reference)
        traced["exception_cases"] = exception_rows(named_by)
        traced["freezes"] = freeze_rows([order.reference])
    return Walked(traced, trades, moves)


def _minimal(
    order: Order, trade: Trade | None, *, ledger: list[Record], events: list[Record], requests: list[Record]
) -> Record:
    """0Pools' minimal database shape."""
    return {
        "order_id": order.partner_order_id,
        "environment": order.environment,
        "pool_id": order.pool_code,
        "quote_id": order.quote_reference,
        "trade_id": trade.reference if trade else None,
        "idempotency_key": order.idempotency_key,
        "latest_status": trade.state if trade else None,
        "ledger_ref": ledger[-1]["ledger_id"] if ledger else None,
        "last_event_id": events[-1]["event_id"] if events else None,
        "last_request_id": requests[-1]["request_id"] if requests else order.request_id,
    }


def _product(order: Order, trade: Trade | None) -> Record:
    """0Pools' example product record."""
    return {
        "product_area": "reconcile-pool-movements",
        "partner_reference": order.partner_order_id,
        "pool_id": order.pool_code,
        "quote_id": order.quote_reference,
        "transact_id": trade.reference if trade else None,
        "status": trade.state if trade else None,
        "request_id": order.request_id,
        "reconciliation_state": order.reconciliation_state,
    }


def _trade(trade: Trade) -> Record:
    return {
        "transact_id": trade.reference,
        "quote_id": trade.quote_reference,
        "pool_id": trade.pool_code,
        "idempotency_key": trade.idempotency_key,
        "status": trade.state,
        "created_at": instant(trade.created_at),
        "terminal_time": instant_or_none(trade.ended_at),
    }


def ledger_rows(subjects: Sequence[str], trades: Iterable[Trade], *, inside: bool) -> list[Record]:
    rows = (
        Posting.objects.filter(transaction__subject__in=subjects)
        .select_related("transaction", "debit_account", "credit_account")
        .order_by("transaction__recorded_at", "transaction_id", "position")[:MOST]
    )
    newest = {trade.reference for trade in trades}
    shown: list[Record] = []
    for row in rows:
        trade = str(row.transaction.refs.get("trade", ""))
        entry: Record = {
            "ledger_id": row.reference,
            "transact_id": trade if trade in newest else None,
            "entry_type": row.kind,
            "asset": row.asset,
            "amount": assets.text(int(row.amount_minor), row.asset),
            "effective_time": instant(row.transaction.effective_at),
        }
        if inside:
            entry |= {
                "debit": row.debit_account.address,
                "credit": row.credit_account.address,
                "event_type": row.transaction.event_type,
                "key": row.transaction.key,
                "request_id": row.transaction.request_id,
            }
        shown.append(entry)
    return shown


def operations_of(owners: Sequence[str]) -> "Sequence[Any]":
    """Return the operations of these owners, each with what was asked as `tried`, in one question."""
    attempts = RemoteAttempt.objects.filter(operation_id=OuterRef("pk")).order_by("number")
    tried = ArraySubquery(attempts.values(shown=JSONObject(**{name: name for name in _ATTEMPT}))[:MOST])
    return list(RemoteOperation.objects.filter(owner__in=owners).annotate(tried=tried).order_by("pk")[:MOST])


def operation_rows(operations: "Sequence[Any]", *, inside: bool) -> list[Record]:
    """Show what `operations_of` returned."""
    return [
        {
            "idempotency_key": one.key,
            "leg": one.leg,
            "status": one.state,
            "asset": one.asset,
            "amount": assets.text(int(one.amount_minor), one.asset),
            "remote_ref": one.remote_ref or None,
            "asked_at": instant_or_none(one.asked_at),
            "answered_at": instant_or_none(one.answered_at),
            "attempts": [_attempt(each, inside=inside) for each in one.tried],
        }
        for one in operations
    ]


def _attempt(attempt: Record, *, inside: bool) -> Record:
    shown = {name: attempt[name] for name in _ATTEMPT if inside or name != "detail"}
    return shown | {"started_at": instant(datetime.fromisoformat(attempt["started_at"]))}


def moves_of(subjects: Sequence[str]) -> list[Move]:
    return list(Move.objects.filter(subject__in=subjects).order_by("moved_at", "pk")[:MOST])


def move_rows(rows: Sequence[Move], *, inside: bool) -> list[Record]:
    shown: list[Record] = []
    for row in rows:
        entry: Record = {
            "subject": row.subject,
            "machine": row.machine,
            "from": row.from_state or None,
            "to": row.to_state,
            "at": instant(row.moved_at),
            "request_id": row.request_id or None,
            "event_id": row.event_reference or None,
        }
        if inside:
            entry |= {"actor": row.actor, "cause": row.cause, "evidence": row.evidence}
        shown.append(entry)
    return shown


def request_rows(owner: Order | Intent, subjects: Sequence[str]) -> list[Record]:
    rows = ApiRequest.objects.filter(
        operator_id=owner.operator_id or 0, environment=owner.environment, subject__in=subjects
    ).order_by("received_at", "pk")[:MOST]
    return [
        {
            "request_id": row.request_id,
            "method": row.method,
            "route": row.route,
            "status": row.status,
            "idempotency_key": row.idempotency_key or None,
            "key_use": row.replay,
            "received_at": instant(row.received_at),
            "duration_ms": row.duration_ms,
        }
        for row in rows
    ]


def records_of(order: Order) -> Record:
    """Return the two records that open an order's trace, as its partner sees them."""
    traced = trace_of(order, inside=False)
    return {name: traced[name] for name in ("record", "product_record")}


def event_rows(subjects: Sequence[str], *, inside: bool) -> list[Record]:
    """Show the events of these subjects with their deliveries and each attempt, in one question."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"subjects": list(subjects), "inside": inside, "most": MOST})
        rows = cursor.fetchall()
    return [
        {
            "event_id": event_id,
            "topic": topic,
            "subject": subject,
            "sequence": sequence,
            "recorded_at": instant(recorded_at),
            "deliveries": _deliveries([row[5:] for row in tried if row[5] is not None]),
        }
        for (event_id, topic, subject, sequence, recorded_at), tried in groupby(rows, key=lambda row: row[:5])
    ]


def _deliveries(rows: Sequence[tuple[Any, ...]]) -> list[Record]:
    return [
        {
            "delivery_id": delivery_id,
            "status": state,
            "ended_at": instant_or_none(ended_at),
            "attempts": [
                {
                    "number": number,
                    "started_at": instant(started_at),
                    "duration_ms": duration_ms,
                    "http_status": http_status,
                }
                for *_, number, started_at, duration_ms, http_status in tried
                if number is not None
            ],
        }
        for (delivery_id, state, ended_at), tried in groupby(rows, key=lambda row: row[:3])
    ]


def return_row(found: Return) -> Record:
    return {
        "return_id": found.reference,
        "kind": found.kind,
        "status": found.state,
        "transact_id": found.trade_reference or None,
        "idempotency_key": found.operation_key or None,
        "asset": found.asset,
        "amount": assets.text(int(found.amount_minor), found.asset),
        "created_at": instant(found.created_at),
        "ended_at": instant_or_none(found.ended_at),
    }


def review_row(case: ReviewCase) -> Record:
    return {
        "review_case_id": case.reference,
        "subject": case.subject,
        "status": case.state,
        "reason": case.reason,
        "owner": case.owner or None,
        "next_action": case.next_action,
        "resolution": case.resolution or None,
        "created_at": instant(case.created_at),
        "resolved_at": instant_or_none(case.resolved_at),
    }


def freeze_rows(subjects: Sequence[str]) -> list[Record]:
    """Return who froze these, why, and who lifted it."""
    return [
        {
            "subject": row.subject,
            "reason": row.reason,
            "frozen_by": row.frozen_by,
            "frozen_at": instant(row.frozen_at),
            "lifted_by": row.lifted_by or None,
            "lifted_at": instant_or_none(row.lifted_at),
        }
        for row in Freeze.objects.filter(subject__in=subjects).order_by("pk")[:MOST]
    ]


def exception_rows(rows: QuerySet[ExceptionCase]) -> list[Record]:
    return [
        {
            "exception_id": row.reference,
            "type": row.type,
            "subject": row.subject,
            "status": row.state,
            "business_date": row.business_date.isoformat(),
            "owner": row.owner or None,
            "next_review_on": row.next_review_on.isoformat() if row.next_review_on else None,
            "first_action": row.first_action,
        }
        for row in rows.order_by("pk")[:MOST]
    ]
