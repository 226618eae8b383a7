"""The operator's webhook receiver: verifies, stores every delivery, and answers as its name says."""

import re
from typing import Final

from wallets.sandbox import signatures
from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.messages import Answer, Ending, Request, answered, refused
from wallets.sandbox.operation_answers import LONGEST_SILENCE
from wallets.sandbox.records import LoggedWebhook
from wallets.sandbox.signatures import Signature
from wallets.sandbox.store import Store

# What a plan for a receiver may make happen.
ENDINGS: Final = ("error", "gone", "redirect", "throttled", "silence", "reset")

_FAILING: Final = re.compile(r"fail-([0-9]{1,2})(?:\..*)?")
_ALWAYS: Final = re.compile(r"(error|gone|redirect|throttled|silence|reset)(?:\..*)?")


def webhook_purpose(name: str) -> str:
    """Return under which purpose this receiver's secrets are kept."""
    return f"webhook:{name}"


class WebhookReceiver:
    """`/webhooks/{name}` answers 204, unless a plan or the name says otherwise:

    `fail-3.alice` answers 500 to the first three attempts of each event; `error`, `gone`, `redirect`,
    `throttled`, `silence` and `reset` always do what they are called. Every delivery is stored, also a refused
    one. Once a secret is registered for the name, a delivery that it did not sign gets 401.
    """

    def __init__(self, store: Store, wall: Clock) -> None:
        self._store = store
        self._clock = wall

    def receive(self, name: str, request: Request) -> Answer:
        """Answer POST /webhooks/{name}."""
        now = self._clock.now()
        with self._store.transaction():
            secrets = self._store.secrets(webhook_purpose(name))
            signature = signatures.check(request, secrets=secrets, now=now)
            webhook_id = request.headers.get("webhook-id", "")
            if signature is Signature.REFUSED:
                answer = refused(401, "unauthorized", "The signature is not ours.")
            else:
                answer = self._answer(name, webhook_id)
            self._store.log_webhook(
                LoggedWebhook(
                    received_at=microseconds(now),
                    name=name,
                    webhook_id=webhook_id,
                    timestamp=request.headers.get("webhook-timestamp", ""),
                    signature=signature,
                    request_id=request.headers.get("x-request-id", ""),
                    body=request.body.decode(errors="replace"),
                    status=answer.status if answer.ending is Ending.SEND else None,
                )
            )
        return answer

    def _answer(self, name: str, webhook_id: str) -> Answer:
        planned = self._store.take_plan("webhook", name)
        if planned is not None:
            return _ending(planned)
        if (failing := _FAILING.fullmatch(name)) and self._store.arrivals(name, webhook_id) < int(failing[1]):
            return _ending("error")
        if always := _ALWAYS.fullmatch(name):
            return _ending(always[1])
        return Answer(204)


def _ending(word: str) -> Answer:
    match word:
        case "gone":
            return refused(410, "gone", "Nobody listens here any more.")
        case "redirect":
            return answered(302, {}, ("Location", "/webhooks/elsewhere"))
        case "throttled":
            return answered(429, {"code": "too_many_requests"}, ("Retry-After", "2"))
        case "silence":
            return Answer(504, delay=LONGEST_SILENCE, ending=Ending.SILENCE)
        case "reset":
            return Answer(502, ending=Ending.RESET)
        case _:
            return refused(500, "internal_error", "Something went wrong.")
