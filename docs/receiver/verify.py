"""Verify webhooks from Holdfast with nothing but Python's standard library. Copy this file into your server.

    message = verify(raw_body, request.headers, secrets=["whsec_…"])

The signature is over the bytes as they came: verify before anything parses them. During a rotation give both secrets.
Run it to try it: WEBHOOK_SECRETS=whsec_… python verify.py 8080
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

TOLERANCE_SECONDS = 300


class NotOurs(Exception):
    """The message is not from Holdfast, or not from now: answer 401 and do nothing."""


def verify(
    body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], now: float | None = None
) -> dict[str, Any]:
    """Return the message. Raises NotOurs."""
    found = {name.lower(): value for name, value in headers.items()}
    message_id = found.get("webhook-id", "")
    timestamp = found.get("webhook-timestamp", "")
    signatures = found.get("webhook-signature", "")
    if not (message_id and signatures and timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise NotOurs("a header is missing or malformed")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        raise NotOurs("the timestamp is too far from now")
    signed = f"{message_id}.{timestamp}.".encode() + body
    given = [item.removeprefix("v1,").encode() for item in signatures.split(" ") if item.startswith("v1,")]
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        if any(hmac.compare_digest(expected, one) for one in given):
            message: dict[str, Any] = json.loads(body)
            return message
    raise NotOurs("no signature fits")


class Receiver(BaseHTTPRequestHandler):
    """The whole of a receiver: verify, remember the webhook-id, answer at once, work afterwards."""

    seen: set[str] = set()  # in your database, with a unique index

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length", "0")), 1_000_000))
        try:
            message = verify(body, dict(self.headers), secrets=os.environ["WEBHOOK_SECRETS"].split())
        except NotOurs as error:
            self._answer(401, str(error))
            return
        if message["id"] not in self.seen:  # the same event may come twice
            self.seen.add(message["id"])
            print(message["type"], message["data"], flush=True)
        self._answer(204, "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Receiver).serve_forever()
