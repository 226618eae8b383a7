"""The streams' process: an ASGI application of its own, beside the web.

1 the key, its scope, its rate and the number of open streams decide whether a stream is opened
2 two short questions find the present state, or what came after Last-Event-ID; another's subject answers 404
3 the stream waits in the hub, without a connection to the database, for what comes; a heartbeat keeps it open
4 it ends at a terminal state, after a quarter of an hour, when its reader is gone or too slow, and at a stop
"""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any, Final, Protocol, TypeVar

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections
from django.http import HttpResponse
from rest_framework.exceptions import AuthenticationFailed

from ledger.controls import clock, references, request_context
from ledger.controls.refusals import Refusal
from ledger.controls.rest import problems
from ledger.controls.rest.caller import Caller
from ledger.controls.rest.request_ids import accepted
from ledger.controls.rest.scopes import MissingScope, Scope
from ledger.controls.rest.throttling import buckets
from webhooks.streams import frames, reading, subjects, wake
from webhooks.streams.hub import Hub, Watch
from webhooks.streams.subjects import Subject

log = structlog.get_logger(__name__)

RETRY_MILLISECONDS: Final = 2000
HEARTBEAT_SECONDS: Final = 15.0
_OPENING_SECONDS: Final = 10.0
_SENDING_SECONDS: Final = 20.0
_OPENERS: Final = 4
_ASK_AGAIN_SECONDS: Final = 5
_PATH: Final = re.compile(r"/v1/([a-z-]{1,40})/([a-z]{2,4}_[0-9a-z]{26})/events", re.ASCII)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Authenticate = Callable[[str], Caller | None]
"""Whom an Authorization header belongs to; None without one. Raises DRF's AuthenticationFailed."""


class Note(Protocol):
    """Writes the request log's row of a stream that was opened, or refused, for a known caller."""

    def __call__(self, caller: Caller, *, route: str, subject: str, status: int, milliseconds: int) -> None: ...


Found = TypeVar("Found")


class TooManyStreams(Refusal):
    """This key has as many streams open as it may; close one, or wait."""

    code = "too_many_streams"
    status = 429


class NoRoomForStreams(Refusal):
    """No further stream can be opened at the moment; ask again, or fetch the order."""

    code = "no_room_for_streams"
    status = 503


class Application:
    """One per process and event loop."""

    def __init__(self, *, authenticate: Authenticate, note: Note) -> None:
        self._authenticate = authenticate
        self._note = note
        self._openers = ThreadPoolExecutor(_OPENERS, thread_name_prefix="opening")
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="asking")
        self._open: Counter[int] = Counter()
        self._hub: Hub | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Event | None = None
        self._is_stopped = False

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await self._live(receive, send)
            case "http":
                await self._serve(scope, receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})

    @property
    def open_streams(self) -> int:
        return self._open.total()

    # --- the process --------------------------------------------------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.start()
                self._end_streams_when_told()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def start(self) -> None:
        """Begin to ask and to hear. Once, in the loop that serves."""
        if self._hub is not None:
            return
        self._stopping = asyncio.Event()
        self._hub = Hub(partial(self._in_thread, self._asker, reading.changes))
        self._tasks = [
            asyncio.create_task(self._hub.run(), name="hub"),
            asyncio.create_task(wake.listen(heard=self._hub.hear, listening=self._hub.listening), name="wake"),
        ]
        log.info("streams.started")

    async def stop(self) -> None:
        """End every stream, and what serves them."""
        if self._stopping is None or self._is_stopped:
            return
        self._is_stopped = True
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool, threads in ((self._openers, _OPENERS), (self._asker, 1)):
            for _ in range(threads):
                pool.submit(connections.close_all)
            pool.shutdown(wait=False)
        log.info("streams.stopped")

    def _end_streams_when_told(self) -> None:
        """End the streams at the signal already: a server waits for its connections before it says shutdown."""
        assert self._stopping is not None
        end = partial(asyncio.get_running_loop().call_soon_threadsafe, self._stopping.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _after(end, signal.getsignal(number)))

    async def _in_thread(
        self, pool: ThreadPoolExecutor, question: Callable[..., Found], *arguments: object, **named: object
    ) -> Found:
        """Ask the database in a thread that keeps its connection for the next question."""

        def ask() -> Found:
            close_old_connections()
            try:
                return question(*arguments, **named)
            except (DatabaseError, InterfaceError):
                connection.close()
                raise

        return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, ask)

    # --- one request --------------------------------------------------------------------------------------

    async def _serve(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.start()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = accepted(headers.get("x-request-id", "")) or references.new(references.Prefix.REQUEST)
        with request_context.bound(request_id=request_id):
            try:
                answer = await self._answer(scope, headers, receive, send)
            except Refusal as refusal:
                answer = problems.of_refusal(refusal)
                if refusal.status in (429, 503):
                    answer.headers["Retry-After"] = str(_ASK_AGAIN_SECONDS)
            except AuthenticationFailed:
                answer = problems.problem(
                    status=401, code="authentication_failed", headers={"WWW-Authenticate": "Bearer"}
                )
            except (DatabaseError, InterfaceError, TimeoutError):
                log.warning("streams.database_unavailable", exc_info=True)
                answer = problems.problem(status=503, code="unavailable", headers={"Retry-After": "1"})
            if answer is not None:
                await _send_whole(answer, send, request_id)

    async def _answer(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive, send: Send
    ) -> HttpResponse | None:
        """Return the answer, or None when a stream was sent."""
        path = scope["path"]
        if path in ("/livez", "/readyz"):
            return await self._well(path)
        match = _PATH.fullmatch(path)
        subject = subjects.named(match.group(1)) if match else None
        if match is None or subject is None:
            return problems.problem(status=404, code="not_found")
        if scope["method"] != "GET":
            return problems.problem(status=405, code="method_not_allowed", headers={"Allow": "GET"})
        began = clock.monotonic()
        caller = await self._asked(self._authenticate, headers.get("authorization", ""))
        if caller is None:
            return problems.problem(status=401, code="not_authenticated", headers={"WWW-Authenticate": "Bearer"})
        note = partial(
            self._noted,
            caller,
            began=began,
            route=f"/v1/{match.group(1)}/{{reference}}/events",
            subject=match.group(2),
        )
        try:
            refused = _refused(caller, headers) or await self._watched(
                subject, match.group(2), caller, headers, receive, send, opened=note
            )
        except Refusal as refusal:
            await note(status=refusal.status)
            raise
        if refused is not None:
            await note(status=refused.status_code)
        return refused

    async def _watched(
        self,
        subject: Subject,
        reference: str,
        caller: Caller,
        headers: Mapping[str, str],
        receive: Receive,
        send: Send,
        *,
        opened: Callable[..., Awaitable[None]],
    ) -> HttpResponse | None:
        self._make_room(caller)
        self._open[caller.key_id] += 1
        try:
            return await self._open_one(subject, reference, caller, headers, receive, send, opened=opened)
        finally:
            self._open[caller.key_id] -= 1
            if not self._open[caller.key_id]:
                del self._open[caller.key_id]

    async def _noted(self, caller: Caller, *, began: float, route: str, subject: str, status: int) -> None:
        """Write the request log's row; a stream goes on without it when it cannot be written."""
        milliseconds = round((clock.monotonic() - began) * 1000)
        try:
            await self._asked(
                self._note, caller, route=route, subject=subject, status=status, milliseconds=milliseconds
            )
        except (DatabaseError, InterfaceError, TimeoutError):
            log.warning("streams.not_noted", exc_info=True)

    async def _well(self, path: str) -> HttpResponse:
        if path == "/readyz":
            await self._asked(reading.reach)
        return HttpResponse(b'{"status":"ok"}', content_type="application/json")

    def _make_room(self, caller: Caller) -> None:
        if self._open[caller.key_id] >= settings.STREAMS_PER_KEY:
            raise TooManyStreams
        if self.open_streams >= settings.STREAMS_AT_ONCE or (self._stopping is not None and self._stopping.is_set()):
            raise NoRoomForStreams

    async def _asked(self, question: Callable[..., Found], *arguments: object, **named: object) -> Found:
        return await asyncio.wait_for(
            self._in_thread(self._openers, question, *arguments, **named), timeout=_OPENING_SECONDS
        )

    async def _open_one(
        self,
        subject: Subject,
        reference: str,
        caller: Caller,
        headers: Mapping[str, str],
        receive: Receive,
        send: Send,
        *,
        opened: Callable[..., Awaitable[None]],
    ) -> HttpResponse | None:
        begun = await self._asked(
            reading.opening,
            subject,
            operator_id=caller.operator_id,
            environment=caller.environment,
            reference=reference,
            last_event_id=headers.get("last-event-id", ""),
        )
        if begun.is_over and not begun.frames:
            return HttpResponse(status=204)  # the reader knows the end: an EventSource does not come again
        assert self._hub is not None
        watch = self._hub.watch(reference, sequence=begun.sequence)
        try:
            await opened(status=200)
            await _begin(send)
            await _pass(send, frames.retry(RETRY_MILLISECONDS) + b"".join(frame.octets for frame in begun.frames))
            if not begun.is_over:
                await self._follow(subject, watch, receive, send)
            await _pass(send, b"", more=False)
        except (OSError, TimeoutError, RuntimeError) as error:  # the reader is gone, or does not read
            log.info("streams.reader_lost", subject=reference, error=type(error).__name__)
        finally:
            self._hub.leave(watch)
        return None

    async def _follow(self, subject: Subject, watch: Watch, receive: Receive, send: Send) -> None:
        """Send what comes until the end, the reader's or ours."""
        assert self._stopping is not None
        ends = clock.monotonic() + settings.STREAM_SECONDS
        gone = asyncio.create_task(_until_gone(receive))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not watch.is_lost and (left := ends - clock.monotonic()) > 0:
                stirred = asyncio.create_task(watch.stirred.wait())
                try:
                    await asyncio.wait(
                        {gone, stopping, stirred},
                        timeout=min(HEARTBEAT_SECONDS, left),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    stirred.cancel()
                if gone.done() or stopping.done():
                    return
                watch.stirred.clear()
                taken = [watch.waiting.popleft() for _ in range(len(watch.waiting))]
                await _pass(send, b"".join(frame.octets for frame in taken) or frames.HEARTBEAT)
                if any(frame.topic in subject.terminal for frame in taken):
                    return
        finally:
            gone.cancel()
            stopping.cancel()


def _refused(caller: Caller, headers: Mapping[str, str]) -> HttpResponse | None:
    """Return the problem of a caller who may not, asks too often, or reads no event stream."""
    if Scope.READ not in caller.scopes:
        raise MissingScope(f"This key lacks the scope “{Scope.READ}”.", scope=str(Scope.READ))
    if settings.REST_RATE:
        rate, burst = settings.REST_RATE, settings.REST_BURST
        if wait := buckets.wait(caller.key_id, rate=rate, burst=burst, at=clock.monotonic()):
            return problems.problem(status=429, code="throttled", headers={"Retry-After": str(int(wait) + 1)})
    wanted = [part.partition(";")[0].strip() for part in headers.get("accept", "*/*").split(",")]
    if not {"*/*", "text/*", "text/event-stream"} & set(wanted):
        return problems.problem(status=406, code="not_acceptable")
    return None


def _after(first: Callable[[], object], then: Any) -> Callable[[int, FrameType | None], None]:
    """Return a signal handler that does one thing, and then what was done before."""

    def handler(number: int, frame: FrameType | None) -> None:
        first()
        if callable(then):
            then(number, frame)

    return handler


async def _begin(send: Send) -> None:
    headers = {
        "content-type": frames.CONTENT_TYPE,
        "cache-control": "no-store",
        "x-accel-buffering": "no",  # a proxy that gathers answers would hold every event back
        "x-request-id": request_context.request_id(),
    }
    await send({"type": "http.response.start", "status": 200, "headers": _octets(headers)})


async def _pass(send: Send, octets: bytes, *, more: bool = True) -> None:
    message = {"type": "http.response.body", "body": octets, "more_body": more}
    await asyncio.wait_for(send(message), timeout=_SENDING_SECONDS)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_whole(answer: HttpResponse, send: Send, request_id: str) -> None:
    headers = {**{name.lower(): value for name, value in answer.items()}, "x-request-id": request_id}
    body = b"" if answer.status_code == 204 else answer.content
    if answer.status_code == 204:
        headers.pop("content-type", None)
    else:
        headers["content-length"] = str(len(body))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": _octets(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _octets(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
