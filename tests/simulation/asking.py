"""What the operator's servers have in common: requests that are repeated with the same key until they are answered (I1).

Each takes the path of REST below its view: the claim, the effect behind its savepoint, the kept answer. One with a question
to the outside in its middle commits twice.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from ledger.controls import request_context
from ledger.controls.claims import IdempotencyConflict
from ledger.controls.refusals import Refusal
from ledger.controls.rest import idempotency, notes
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from orders.operations import ask_price
from orders.venue_port import Offer

if TYPE_CHECKING:
    from tests.simulation.world import World

_FACTORY = RequestFactory()

Work = Callable[[datetime], HttpResponse]


@dataclass(frozen=True, slots=True)
class WithPrice:
    """Work that may need an outside venue's offer, which is asked for with no transaction open."""

    work: Callable[[datetime, Offer | None], HttpResponse]


@dataclass(frozen=True, slots=True)
class InTwo:
    """Work with a question in its middle, as `idempotency.answer_in_two` takes it."""

    begin: Callable[[datetime], str]
    question: Callable[[str], Any]
    finish: Callable[[str, Any, datetime], HttpResponse]
    refused: Callable[[str, Refusal, datetime], None]


@dataclass(slots=True)
class Request:
    """One request as it was first sent, and the answer if one came."""

    key: str
    path: str
    content: dict[str, Any]
    work: Work | WithPrice | InTwo
    answer: bytes | None = None


class Asking:
    """One server of the operator's: it sends, and sends again."""

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self.sent: list[Request] = []
        self._world = world
        self._number = 0

    def send(
        self, path: str, content: dict[str, Any], work: Work | WithPrice | InTwo, *, key: str = ""
    ) -> HttpResponse:
        request = Request(key or self.next_key(), path, content, work)
        self.sent.append(request)
        said = self._carry(request)
        request.answer = said.content
        return said

    def send_again(self) -> None:
        """Send one again with the same key: the same answer; or another with its key: a conflict, and nothing is done."""
        world = self._world
        unanswered = [request for request in self.sent if request.answer is None]
        request = world.chance.choice(unanswered or self.sent)
        if world.chance.random() < 0.15:
            world.met("client", "another request with the same key")
            try:
                said = self._carry(Request(request.key, request.path, {"other": True}, _never))
            except IdempotencyConflict:
                return
            if request.answer is not None:
                world.found("I1", request.key, f"another request was answered {said.status_code}")
            self.sent.remove(request)  # its first never arrived, and its key is another's now
            return
        world.met("client", "the same again" if request.answer else "again, unanswered")
        said = self._carry(request)
        if request.answer is not None and (said.content != request.answer or idempotency.REPLAYED not in said.headers):
            world.found("I1", request.key, f"answered {request.answer!r} first, then {said.content!r}")
        request.answer = said.content

    def next_key(self) -> str:
        self._number += 1
        return f"{self.name.replace(' ', '-')}:{self._number}"

    def _carry(self, request: Request) -> HttpResponse:
        world = self._world
        asked: HttpRequest = _FACTORY.post(
            request.path, json.dumps(request.content), "application/json", HTTP_IDEMPOTENCY_KEY=request.key
        )
        try:
            with request_context.bound(request_id=f"req-{request.key}"):
                said = self._carried_out(asked, request)
        except Refusal as refusal:
            world.note(self.name, f"{request.path} {request.key}: {refusal.code}")
            raise
        world.note(self.name, f"{request.path} {request.key}: {said.status_code} {said.content.decode()[:60]}")
        return said

    def _carried_out(self, asked: HttpRequest, request: Request) -> HttpResponse:
        caller, work = self._world.scene.caller, request.work
        if isinstance(work, InTwo):
            return idempotency.answer_in_two(
                request=asked,
                caller=caller,
                route=request.path,
                note=notes.Note(),
                begin=work.begin,
                question=work.question,
                finish=work.finish,
                refused=work.refused,
            )

        def once(work: Work) -> HttpResponse:
            return idempotency.answer_once(
                request=asked, caller=caller, route=request.path, rule=KeyRule.REQUIRED, work=work, note=notes.Note()
            )

        if isinstance(work, WithPrice):
            return ask_price.with_price(lambda offer: once(lambda now: work.work(now, offer)))
        return once(work)


def _never(now: datetime) -> HttpResponse:
    return answer({"done": "with a key that belongs to another request"}, status=418)
