"""How REST shows intents, in OneWallet's words: status in capitals, requiresMonitoring, lookupRef and their like."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ledger import assets
from ledger.controls.refusals import Refusal
from ledger.controls.rest.answers import instant, instant_or_none
from orders.models import Intent

REFUSED: Final = "REFUSED"
"""What a list says of one that was not carried out: it left no intent."""

_MAY_EXPIRE: Final = (Intent.State.CREATED, Intent.State.VALIDATED)
"""An unconfirmed payout does; what is authorized has a hold that never expires by itself."""

_FEE_ITEM: Final = ("name", "rule", "version", "phase", "amount", "vat", "asset")


def intent(row: Intent) -> dict[str, Any]:
    """Show an intent: a transfer, or a payout with what its channel said."""
    return {
        "intent_id": row.reference,
        "kind": row.kind,
        "channel": row.channel,
        "status": row.state.upper(),
        "status_reason": row.status_reason or None,
        "terminal": row.terminal,
        "requiresMonitoring": row.requires_monitoring,
        "payer_wallet_id": row.payer,
        "payee_wallet_id": row.payee or None,
        "recipient": row.recipient or None,
        "asset": row.asset,
        "amount": assets.text(int(row.amount_minor), row.asset),
        "debit": _text_or_none(row.debit_minor, row.asset),
        "credit": _text_or_none(row.credit_minor, row.asset),
        "fees": [{name: item[name] for name in _FEE_ITEM} for item in row.fee_items],
        "total_fee": assets.text(int(row.fee_minor), row.asset),
        "total_vat": assets.text(int(row.vat_minor), row.asset),
        "network_fee": assets.text(int(row.network_fee_minor), row.asset),
        "lookupRef": row.lookup_ref or None,
        "receiverName": row.receiver_name or None,
        "responseId": row.response_id or None,
        "settlementDate": row.settlement_date.isoformat() if row.settlement_date else None,
        "reference_number": row.reference_number or None,
        "partner_reference": row.partner_reference or None,
        "note": row.note,
        "scheduled_for": instant_or_none(row.scheduled_for),
        "expires_at": instant_or_none(row.expires_at) if row.state in _MAY_EXPIRE else None,
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
        "ended_at": instant_or_none(row.ended_at),
    }


def transfer_list(done: Sequence[Intent | Refusal]) -> dict[str, Any]:
    """Show what became of each of a list, in order."""
    data = [_done(one) if isinstance(one, Intent) else _refused(one) for one in done]
    settled = sum(isinstance(one, Intent) for one in done)
    return {"data": data, "settled": settled, "refused": len(done) - settled}


def _done(row: Intent) -> dict[str, Any]:
    return {
        "status": row.state.upper(),
        "requiresMonitoring": row.requires_monitoring,
        "intent_id": row.reference,
        "partner_reference": row.partner_reference or None,
        "debit": _text_or_none(row.debit_minor, row.asset),
        "credit": _text_or_none(row.credit_minor, row.asset),
        "reference_number": row.reference_number,
        "error": None,
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    nothing = ("intent_id", "partner_reference", "debit", "credit", "reference_number")
    error: Mapping[str, Any] = {"code": refusal.code, "detail": refusal.message, **refusal.fields}
    return {"status": REFUSED, "requiresMonitoring": False, **dict.fromkeys(nothing), "error": error}


def _text_or_none(minor: Decimal | None, asset: str) -> str | None:
    return None if minor is None else assets.text(int(minor), asset)
