"""A partner's wallet service in a few lines, honest but for the faults that it is given: HTTP as the test owns it."""

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import unquote, urlsplit

from webhooks import signatures
from webhooks.outbound import OutboundRequest, OutboundResponse

SECRET = "whsec_" + "B" * 32


@dataclass
class Kept:
    leg: str
    reference: str
    body: bytes
    content: dict[str, object]


class PartnerWallet:
    """Each fault is a rule of the protocol that it breaks."""

    def __init__(self, faults: Iterable[str] = ()) -> None:
        self.faults = frozenset(faults)
        self.kept: dict[str, Kept] = {}
        self.balance: dict[str, int] = {}
        self.requests = 0
        self._number = 0
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(5)

    def send(self, request: OutboundRequest) -> OutboundResponse:
        self.requests += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = urlsplit(request.url).path
        if "is down" in self.faults:
            return _answer(500, {"code": "oops"})
        key = unquote(path.rpartition("/")[2]) if request.method == "GET" else headers["idempotency-key"]
        if not self._signed(headers, request.body, key):
            return _answer(401, {"code": "unauthorized"})
        if request.method == "GET":
            return self._seen(key)
        return self._asked(path.strip("/"), key, headers, request.body)

    def _signed(self, headers: dict[str, str], body: bytes, key: str) -> bool:
        lookup = not body
        if "checks no signature" in self.faults or (lookup and "checks no lookup" in self.faults):
            return True
        tolerance = 10**9 if "takes old signatures" in self.faults else 300
        try:
            signed = signatures.verify(
                secrets=[SECRET], headers=headers, body=body, now=int(time.time()), tolerance=tolerance
            )
        except signatures.InvalidSignature:
            return False
        return signed == key or "looks at no webhook-id" in self.faults

    def _seen(self, key: str) -> OutboundResponse:
        kept = self.kept.get(key)
        if "lookups lag" in self.faults:
            kept = None
        if kept is None and "a bare 404" in self.faults:
            return OutboundResponse(404, {}, b"<html>not found</html>")
        if kept is None:
            return _answer(404, {"code": "not_found", "idempotency_key": key})
        return _answer(200, kept.content)

    def _asked(self, leg: str, key: str, headers: dict[str, str], body: bytes) -> OutboundResponse:
        known = self.kept.get(key)
        if "races" in self.faults and known is None and key.endswith("debit:v1"):
            self._meet()
        with self._lock:
            return self._decided(leg, key, headers, body, known if "races" in self.faults else self.kept.get(key))

    def _decided(
        self, leg: str, key: str, headers: dict[str, str], body: bytes, known: Kept | None
    ) -> OutboundResponse:
        if known is not None and "applies again" not in self.faults:
            if known.body != body and "takes another body" not in self.faults:
                return _answer(409, {"code": "key_reused"})
            return _answer(*_told(known.content))
        try:
            content = json.loads(body)
        except ValueError:
            if "takes anything" not in self.faults:
                return _answer(400, {"code": "malformed"})
            content = {"operation": leg, "amount": "0.02", "asset": "EUR", "reference": key.split(":")[0]}
        if content["operation"] != leg and "looks at no operation" not in self.faults:
            return _answer(400, {"code": "malformed"})
        if datetime.now(UTC) > datetime.fromisoformat(headers["not-after"]) and "reads no Not-After" not in self.faults:
            refusal = {"status": "rejected", "code": "too_late", "idempotency_key": key}
            if "burns the key" in self.faults:
                identity = {"operation": leg, "asset": content["asset"], "amount": content["amount"]}
                self.kept[key] = Kept(leg, content["reference"], body, {**refusal, **identity})
            return _answer(400 if "refuses late with 400" in self.faults else 422, refusal)
        return self._applied(leg, key, body, content)

    def _applied(self, leg: str, key: str, body: bytes, content: dict[str, str]) -> OutboundResponse:
        reference, minor = content["reference"], int(Decimal(content["amount"]) * 100)
        amount: object = content["amount"]
        if "floats" in self.faults:
            amount = f"{float(content['amount']):.2f}"
        if "numbers" in self.faults:
            amount = float(content["amount"])
        if leg == "reverse" and self.balance.get(reference, 0) < minor and "reverses anything" not in self.faults:
            refusal = {"status": "rejected", "code": "nothing_to_reverse", "idempotency_key": key}
            return _answer(422, refusal)
        if leg == "credit" and "credits nothing large" in self.faults and minor > 10**9:
            return _answer(422, {"status": "rejected", "code": "limit_exceeded", "idempotency_key": key})
        if leg != "credit":
            self.balance[reference] = self.balance.get(reference, 0) + (minor if leg == "debit" else -minor)
        self._number += 1
        told: dict[str, object] = {
            "idempotency_key": key,
            "operation": leg,
            "status": "confirmed",
            "asset": content["asset"],
            "amount": amount,
            "remote_ref": f"mov-{self._number}",
        }
        self.kept[key] = Kept(leg, reference, body, told)
        return _answer(200, told)

    def _meet(self) -> None:
        """Have all that ask at once see nothing known before any of them applies."""
        try:
            self._barrier.wait(0.2)
        except threading.BrokenBarrierError:
            self._barrier = threading.Barrier(5)


def _told(content: dict[str, object]) -> tuple[int, dict[str, object]]:
    return (200 if content["status"] == "confirmed" else 422), content


def _answer(status: int, content: Mapping[str, object]) -> OutboundResponse:
    return OutboundResponse(status, {"content-type": "application/json"}, json.dumps(content).encode())
