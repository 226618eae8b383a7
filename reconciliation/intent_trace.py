"""Trace of one transfer or payout from end to end, found by any id along its join graph. It only reads.

The partner's view names no account, no staff and no evidence; the inside view adds them for those who work here.
"""

from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import connection

from ledger import assets
from ledger.controls.rest.answers import instant, instant_or_none
from orders import intent_answers
from orders.models import Intent, Payout, Return, ReviewCase, WalletEntry
from reconciliation import trace
from reconciliation.inbound_trace import inbound_events, inbound_rows
from reconciliation.models import ExceptionCase
from reconciliation.trace import MOST, Record, Walked

_FIND: Final = (Path(__file__).parent / "sql" / "find_intents.sql").read_text(encoding="utf-8")


def find_intents(identifier: str) -> list[Intent]:
    """Return the intents that an id names, newest first: theirs or ours, of whatever record. At most 50."""
    wanted = trace.searchable(identifier)
    if not wanted:
        return []
    posting = trace.posting_id(wanted)
    with connection.cursor() as cursor:
        cursor.execute(_FIND, {"id": wanted, "posting": UUID(posting) if posting else None})
        found = [row[0] for row in cursor.fetchall()]
    return list(Intent.objects.filter(pk__in=found).order_by("-pk"))


def trace_of_intent(intent: Intent, *, inside: bool) -> Record:
    """Walk the whole join graph of an intent: its payout, ledger, history, operations, moves, requests and events."""
    traced = walk(intent, inside=inside).record
    return {**traced, "freezes": trace.freeze_rows([intent.reference])} if inside else traced


def walk(intent: Intent, *, inside: bool) -> Walked:
    """Walk it, and hand over the rows that a page draws."""
    payouts = list(Payout.objects.filter(intent_reference=intent.reference))
    returns = list(Return.objects.filter(intent_reference=intent.reference).order_by("pk")[:MOST])
    owners = [intent.reference, *(row.reference for row in (*payouts, *returns))]
    operations = trace.operations_of(owners)
    cases = list(ReviewCase.objects.filter(subject__in=owners).order_by("pk")[:MOST])
    inbound = inbound_events(intent, [*owners, *(one.key for one in operations)], inside=inside)
    subjects = [
        *owners,
        *(operation.reference for operation in operations),
        *(case.reference for case in cases if inside),
        *(event.reference for event in inbound if inside),
    ]
    ledger = trace.ledger_rows(owners, [], inside=inside)
    events = trace.event_rows(subjects, inside=inside)
    requests = trace.request_rows(intent, subjects)
    moves = trace.moves_of(subjects)
    traced: Record = {
        "record": {
            "intent_id": intent.reference,
            "partner_reference": intent.partner_reference or None,
            "environment": intent.environment,
            "idempotency_key": requests[0]["idempotency_key"] if requests else None,
            "latest_status": intent.state.upper(),
            "reference_number": intent.reference_number or None,
            "ledger_ref": ledger[-1]["ledger_id"] if ledger else None,
            "last_event_id": events[-1]["event_id"] if events else None,
            "last_request_id": requests[-1]["request_id"] if requests else intent.request_id,
        },
        "intent": intent_answers.intent(intent),
        "payouts": [_payout(payout) for payout in payouts],
        "ledger": ledger,
        "history": _history(intent),
        "operations": trace.operation_rows(operations, inside=inside),
        "moves": trace.move_rows(moves, inside=inside),
        "requests": requests,
        "inbound_events": inbound_rows(inbound, inside=inside),
        "events": events,
        "returns": [trace.return_row(found) for found in returns],
    }
    if inside:
        traced["limits"] = intent.usages
        traced["review_cases"] = [trace.review_row(case) for case in cases]
        named_by = ExceptionCase.objects.filter(environment=intent.environment, subject__in=owners)
        traced["exception_cases"] = trace.exception_rows(named_by)
    return Walked(traced, payouts, moves)


def _payout(payout: Payout) -> Record:
    return {
        "payout_id": payout.reference,
        "status": payout.state,
        "requeries": payout.requeries,
        "created_at": instant(payout.created_at),
        "ended_at": instant_or_none(payout.ended_at),
    }


def _history(intent: Intent) -> list[Record]:
    """Return what the intent did to its operator's wallets, with the balances after."""
    rows = WalletEntry.objects.filter(
        subject=intent.reference, operator_id=intent.operator_id or 0, environment=intent.environment
    ).order_by("pk")[:MOST]
    return [
        {
            "wallet_id": row.wallet,
            "kind": row.kind,
            "asset": row.asset,
            "amount": assets.text(int(row.amount_minor), row.asset),
            "posted_after": assets.text(int(row.posted_minor), row.asset),
            "held_after": assets.text(int(row.held_minor), row.asset),
            "ledger_id": row.ledger_reference or None,
            "recorded_at": instant(row.recorded_at),
        }
        for row in rows
    ]
