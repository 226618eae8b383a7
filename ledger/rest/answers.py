"""How the book's rows read in an answer: decimal strings, RFC 3339 instants, public references."""

from collections.abc import Sequence
from typing import Any

from ledger import assets
from ledger.balances import Balance, FourBalances
from ledger.controls.rest.answers import instant, instant_or_none
from ledger.direct_posting import Outcome
from ledger.drafts import Posting as Sent
from ledger.models import Hold, Posting, Transaction
from ledger.statements import Line, Statement


def four(balances: FourBalances, asset: str) -> dict[str, str]:
    """Write the four balances."""
    return {
        "debits_posted": assets.text(balances.debits_posted, asset),
        "credits_posted": assets.text(balances.credits_posted, asset),
        "debits_pending": assets.text(balances.debits_pending, asset),
        "credits_pending": assets.text(balances.credits_pending, asset),
    }


def balance(found: Balance) -> dict[str, str]:
    return {
        "address": found.address,
        "asset": found.asset,
        "normal_side": found.normal_side,
        **four(found, found.asset),
        "balance": assets.text(found.posted, found.asset),
        "available": assets.text(found.available, found.asset),
    }


def statement(found: Statement) -> dict[str, Any]:
    return {
        "address": found.address,
        "asset": found.asset,
        "normal_side": found.normal_side,
        "opening": four(found.opening, found.asset),
        "data": [_line(line, found.asset) for line in found.lines],
        "closing": four(found.closing, found.asset),
        "next": str(found.next_after) if found.next_after else None,
    }


def transaction(row: Transaction, *, postings: Sequence[Posting], hold: Hold | None) -> dict[str, Any]:
    return {
        "transaction_id": str(row.pk),
        "key": row.key,
        "event_type": row.event_type,
        "phase": row.phase,
        "subject": row.subject,
        "refs": row.refs,
        "metadata": row.metadata,
        "request_id": row.request_id,
        "effective_at": instant(row.effective_at),
        "recorded_at": instant(row.recorded_at),
        "value_date": instant_or_none(row.value_date),
        "timeout": row.timeout_seconds,
        "ends_hold_of": str(row.hold_id) if row.hold_id else None,
        "hold": hold and _hold(hold),
        "postings": [_posting(posting) for posting in postings],
    }


def preview(postings: Sequence[Sent]) -> list[dict[str, str]]:
    return [
        {
            "debit_account": posting.debit,
            "credit_account": posting.credit,
            "asset": posting.amount.asset,
            "amount": assets.text(posting.amount.minor, posting.amount.asset),
        }
        for posting in postings
    ]


def bulk(outcome: Outcome) -> dict[str, Any]:
    codes = [posted.result.code for posted in outcome.posted]
    return {
        "created": codes.count("created"),
        "existing": codes.count("exists"),
        "refused": len(codes) - codes.count("created") - codes.count("exists"),
        "data": [
            {
                "position": position,
                "key": posted.draft.key,
                "result": posted.result.code,
                "transaction_id": str(posted.result.transaction_id) if posted.result.transaction_id else None,
                "failed_posting": posted.result.failed_position,
                "ledger_ids": list(posted.ledger_ids),
            }
            for position, posted in enumerate(outcome.posted)
        ],
        "balances": [balance(found) for found in outcome.balances],
    }


def _line(line: Line, asset: str) -> dict[str, Any]:
    return {
        "ledger_id": line.reference,
        "transaction_id": str(line.transaction_id),
        "key": line.key,
        "event_type": line.event_type,
        "kind": line.kind,
        "subject": line.subject,
        "effective_at": instant(line.effective_at),
        "recorded_at": instant(line.recorded_at),
        "value_date": instant_or_none(line.value_date),
        "counterparty": line.counterparty,
        "side": line.side,
        "posted": assets.text(line.posted, asset),
        "pending": assets.text(line.pending, asset),
        "after": four(line.after, asset),
    }


def _posting(row: Posting) -> dict[str, Any]:
    return {
        "ledger_id": row.reference,
        "position": row.position,
        "kind": row.kind,
        "ends_ledger_id": f"led_{row.pending_id.hex}" if row.pending_id else None,
        "debit_account": row.debit_account.address,
        "credit_account": row.credit_account.address,
        "asset": row.asset,
        "amount": assets.text(int(row.amount_minor), row.asset),
    }


def _hold(row: Hold) -> dict[str, Any]:
    return {
        "state": row.state,
        "expires_at": instant_or_none(row.expires_at),
        "ended_by": str(row.ended_by) if row.ended_by else None,
        "ended_at": instant_or_none(row.ended_at),
    }
