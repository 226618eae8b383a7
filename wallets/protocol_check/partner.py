"""The partner's wallet service, as the cases ask it: through the gateway's own adapter, and wrongly on purpose."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Final, assert_never
from urllib.parse import quote

from ledger.controls import clock, randomness
from ledger.controls.clock import FixedClock
from ledger.money import decimal_text
from wallets.gateway_adapters import adapter
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from webhooks import outbound, signatures

ADAPTER: Final = "operator_wallet"
_POLLS: Final = 20
_OTHER_SECRET: Final = signatures.make_secret(b"a secret that is not theirs.")
_LARGEST_ANSWER: Final = 64 * 1024


class Unreachable(Exception):
    """The wallet service cannot be asked at all."""


@dataclass
class Partner:
    """Where the service answers, who its test user is, and in which asset it is asked."""

    base_url: str
    secret: str
    user_reference: str
    asset: str
    scale: int
    timeout_seconds: float
    patience_seconds: float
    _run: str = field(default_factory=lambda: randomness.octets(6).hex())
    _made: int = 0

    def new_reference(self) -> str:
        """Return a reference that no run has used."""
        self._made += 1
        return f"check_{self._run}_{self._made}"

    def request(self, reference: str, leg: str, minor: int, *, version: int = 1) -> RemoteRequest:
        """Return one movement of a reference. The same arguments make the same bytes."""
        return RemoteRequest(
            key=f"{reference}:{leg}:v{version}",
            leg=leg,
            asset=self.asset,
            amount_minor=minor,
            amount_text=decimal_text(minor, self.scale),
            user_reference=self.user_reference,
            owner=reference,
            metadata={"partner_order_id": "protocol check"},
        )

    def ask(self, request: RemoteRequest, *, not_after: datetime | None = None, forged: bool = False) -> Reply:
        """Ask as Holdfast does; wait a while for what answers *pending*."""
        reply = self._asked(request, not_after=not_after, forged=forged)
        for _ in range(_POLLS):
            if reply.outcome != Unknown(Cause.PENDING):
                break
            Event().wait(self.patience_seconds / _POLLS)
            reply = self.look_up(request)
        return reply

    def ask_an_old_question(self, request: RemoteRequest) -> Reply:
        """Ask with a signature that is right and ten minutes old, as somebody would who recorded it."""
        with clock.use(FixedClock(clock.now() - timedelta(minutes=10))):
            return self._asked(request, not_after=clock.now() + timedelta(minutes=20))

    def look_up(self, request: RemoteRequest, *, forged: bool = False) -> Reply:
        return adapter(ADAPTER).look_up(
            request,
            connection=self._connection(forged),
            request_id=f"check_{self._run}",
            timeout_seconds=self.timeout_seconds,
        )

    def ask_raw(self, request: RemoteRequest, *, path: str = "", message_id: str = "", body: bytes = b"") -> int | None:
        """Ask with a path, a signed message id or a body that does not belong; return the status, None for no answer."""
        content = {
            "operation": request.leg,
            "asset": request.asset,
            "amount": request.amount_text,
            "user_reference": request.user_reference,
            "reference": request.owner,
            "metadata": dict(request.metadata),
        }
        sent = body or json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        now = clock.now()
        signed = signatures.headers(
            secrets=[self.secret],
            message_id=message_id or request.key,
            timestamp=int(now.timestamp()),
            body=sent,
        )
        headers = {
            "content-type": "application/json",
            "idempotency-key": request.key,
            "not-after": (now + timedelta(seconds=self.timeout_seconds)).isoformat(),
            "x-request-id": f"check_{self._run}",
            **signed,
        }
        try:
            answer = outbound.send(
                outbound.OutboundRequest(
                    method="POST",
                    url=f"{self.base_url.rstrip('/')}/{quote(path or request.leg)}",
                    environment="test",
                    headers=headers,
                    body=sent,
                    timeout=self.timeout_seconds,
                    max_response_bytes=_LARGEST_ANSWER,
                )
            )
        except (outbound.NotSent, outbound.Broken, outbound.TimedOut):
            return None
        return answer.status

    def refuse_unreachable(self) -> None:
        """Raise Unreachable when no question can be sent, so that not every case has to say so."""
        reply = self.look_up(self.request(self.new_reference(), "debit", 1))
        if reply.http_status is None and not reply.sent:
            reason = "no connection could be made"
            if reply.outcome == Unknown(Cause.NOT_ASKED):
                reason = "the address is not public; name it in OUTBOUND_ALLOW (host:port) to try it all the same"
            raise Unreachable(f"{self.base_url}: {reason}.")

    def _asked(self, request: RemoteRequest, *, not_after: datetime | None = None, forged: bool = False) -> Reply:
        limit = not_after or clock.now() + timedelta(seconds=self.timeout_seconds)
        return adapter(ADAPTER).ask(
            request,
            connection=self._connection(forged),
            request_id=f"check_{self._run}",
            not_after=limit,
            timeout_seconds=self.timeout_seconds,
        )

    def _connection(self, forged: bool) -> GatewayConnection:
        return GatewayConnection(self.base_url, _OTHER_SECRET if forged else self.secret, "test")


def other_amount(request: RemoteRequest, minor: int) -> RemoteRequest:
    """Return the same key with another amount."""
    scale = len(request.amount_text.partition(".")[2])
    return replace(request, amount_minor=minor, amount_text=decimal_text(minor, scale))


def told(reply: Reply) -> str:
    """Write what an answer came to in a few words."""
    match reply.outcome:
        case Confirmed(remote_ref):
            word = f"confirmed, {remote_ref}"
        case Rejected(reason):
            word = f"rejected, {reason}"
        case Unknown(cause):
            word = "not found" if reply.absent else f"proves nothing ({cause.value})"
        case _:
            assert_never(reply.outcome)
    return f"{reply.http_status or 'no answer'}: {word}"
