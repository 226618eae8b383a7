"""How a payment is told: as it stands, or as a fault tells it; in the words of its channel."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wallets.sandbox.bank_faults import PROMPTPAY
from wallets.sandbox.faults import Manner, Sight
from wallets.sandbox.messages import Answer, Ending, answered, refused
from wallets.sandbox.operation_answers import GARBLED, LONGEST_SILENCE, SLOW_SECONDS, other, untold
from wallets.sandbox.payments import Payment

QUERY_FEE_UNITS: Final = 2
"""The network's fee for a PromptPay payment, in major units."""

_CAMEL: Final = {
    "idempotency_key": "idempotencyKey",
    "response_id": "responseId",
    "settlement_date": "settlementDate",
    "returned_amount": "returnedAmount",
    "return_id": "returnId",
}


def truth(payment: Payment) -> Answer:
    """Answer a payment order, the first time and every time after: 200 settled, 202 pending, 422 rejected."""
    return answered({"settled": 200, "returned": 200, "pending": 202}.get(payment.status, 422), _content(payment))


def seen(payment: Payment) -> Answer:
    """Answer a lookup: 200, whatever the status."""
    return answered(200, _content(payment))


def not_found(key: str, *, channel: str) -> Answer:
    """Answer a lookup of a key under which nothing was ever accepted."""
    return answered(404, _worded({"code": "not_found", "message": "No such payment.", "idempotency_key": key}, channel))


def refusal(key: str, code: str, message: str, *, channel: str) -> Answer:
    """Say that nothing was applied and that this order will never be."""
    content = {"status": "rejected", "code": code, "message": message, "idempotency_key": key}
    return answered(422, _worded(content, channel))


def told(payment: Payment, *, manner: Manner, silence: float) -> Answer:
    """Answer an order that was accepted, in the manner of its fault."""
    match manner:
        case Manner.LATE_TRUTH:
            return replace(truth(payment), delay=SLOW_SECONDS)
        case Manner.GARBLED:
            return Answer(200, GARBLED)
        case Manner.OTHER_AMOUNT:
            return truth(replace(payment, amount=other(payment.amount)))
        case Manner.OTHER_KEY:
            return truth(replace(payment, key=f"{payment.key}:other"))
        case Manner.TRUTH | Manner.TOO_LATE:
            return truth(payment)
        case _:
            return untold(manner, silence=silence)


def glimpsed(payment: Payment | None, *, key: str, channel: str, sight: Sight) -> Answer:
    """Answer a lookup as its fault wants it seen."""
    match sight:
        case Sight.HIDDEN:
            return not_found(key, channel=channel)
        case Sight.ERROR:
            return refused(500, "internal_error", "Something went wrong.")
        case Sight.SILENCE:
            return Answer(504, delay=LONGEST_SILENCE, ending=Ending.SILENCE)
        case Sight.RESET:
            return Answer(502, ending=Ending.RESET)
        case Sight.GARBLED:
            return Answer(200, GARBLED)
        case Sight.PENDING if payment is not None:
            return seen(replace(payment, status="pending", code=""))
        case Sight.OTHER_AMOUNT if payment is not None:
            return seen(replace(payment, amount=other(payment.amount)))
        case _:
            return seen(payment) if payment is not None else not_found(key, channel=channel)


def payable(*, lookup_ref: str, receiver_name: str, amount: str, currency: str) -> Answer:
    """Answer a recipient query. The fee has the amount's scale."""
    decimals = len(amount.partition(".")[2])
    fee = f"{QUERY_FEE_UNITS}.{'0' * decimals}" if decimals else str(QUERY_FEE_UNITS)
    content = {"lookupRef": lookup_ref, "receiverName": receiver_name, "fee": fee, "currency": currency}
    return answered(200, content)


def query_fault(word: str) -> Answer:
    """Answer a recipient query as its fault wants it."""
    match word:
        case "unknown-recipient":
            return refused(422, "recipient_not_found", "No account is registered under this number.")
        case "query-silence":
            return Answer(504, delay=LONGEST_SILENCE, ending=Ending.SILENCE)
        case "query-garbled":
            return Answer(200, GARBLED)
        case "query-reset":
            return Answer(502, ending=Ending.RESET)
        case _:
            return refused(500, "internal_error", "Something went wrong.")


def _content(payment: Payment) -> Mapping[str, object]:
    content: dict[str, object] = {
        "idempotency_key": payment.key,
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
        "reference": payment.reference,
        "response_id": payment.response_id,
        "settlement_date": payment.settlement_date,
    }
    if payment.status == "rejected":
        content["code"] = payment.code
    if payment.status == "returned":
        content |= {"returned_amount": payment.amount, "return_id": payment.return_id}
    return _worded(content, payment.channel)


def _worded(content: Mapping[str, object], channel: str) -> Mapping[str, object]:
    if channel != PROMPTPAY:
        return content
    return {_CAMEL.get(name, name): value for name, value in content.items()}
