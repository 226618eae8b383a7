"""An outside venue over HTTP, as docs/venue-protocol.yaml describes it."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final

from ledger.controls import references
from ledger.environments import Environment
from orders.venues import http_answers
from wallets.answer_bodies import excerpt
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.price_port import PriceHeard, PriceQuestion, PriceUnknown
from wallets.signed_questions import Unheard, answered, exchanged, question_of, to_look_up, to_post

_TERMS: Final = ("pool", "side", "given_asset", "given_amount", "quote_id", "venue_quote_id")


class HttpVenue:
    """POST /quotes, /reserve, /execute, /release and GET /operations/{idempotency_key}, each question signed."""

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        """Ask once. The body depends on nothing but the request, so that the same key has the same body."""
        sent = to_post(
            request.leg,
            _body(request, connection),
            connection=connection,
            message_id=request.key,
            request_id=request_id,
            timeout_seconds=timeout_seconds,
            not_after=not_after,
        )
        return exchanged(sent, read=partial(http_answers.read_ask, request))

    def look_up(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        timeout_seconds: float,
    ) -> Reply:
        """Ask what became of the key."""
        sent = to_look_up(
            "operations", request.key, connection=connection, request_id=request_id, timeout_seconds=timeout_seconds
        )
        return exchanged(sent, read=partial(http_answers.read_lookup, request))

    def price(
        self, question: PriceQuestion, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> PriceHeard:
        """Ask for an offer. Moves nothing."""
        content = {
            "pool": question.pool,
            "side": question.side,
            "taken_asset": question.taken_asset,
            "taken_amount": question.taken_text,
            "given_asset": question.given_asset,
            "given_decimals": question.given_scale,
        }
        sent = to_post(
            "quotes",
            _json(content),
            connection=connection,
            message_id=references.new(references.Prefix.REQUEST),
            request_id=request_id,
            timeout_seconds=timeout_seconds,
        )
        asked, answer = question_of(sent), answered(sent)
        if isinstance(answer, Unheard):
            unknown = PriceUnknown(answer.cause, sent=answer.sent)
            return PriceHeard(unknown, answer.http_status, question=asked, excerpt=answer.excerpt)
        reply = http_answers.read_price(question, status=answer.status, body=answer.body)
        return PriceHeard(reply, answer.status, question=asked, excerpt=excerpt(answer.body))


def _body(request: RemoteRequest, connection: GatewayConnection) -> bytes:
    """Write the terms and our ids. Whose order it is, the venue learns in the test environment alone (magic values)."""
    content = {
        "operation": request.leg,
        "transact_id": request.owner,
        "taken_asset": request.asset,
        "taken_amount": request.amount_text,
        **{name: request.details[name] for name in _TERMS},
    }
    if connection.environment == Environment.TEST:
        content["user_reference"] = request.user_reference
    return _json(content)


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
