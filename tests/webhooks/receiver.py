"""A webhook receiver on loopback: answers as told, remembers what came."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from webhooks import signatures


@dataclass(frozen=True)
class Answer:
    """What the receiver answers; it waits for `when` first, and hangs up before answering if `hangs_up`."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    when: threading.Event | None = None
    hangs_up: bool = False
    drips: bool = False


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def timestamp(self) -> int:
        return int(self.headers["webhook-timestamp"])

    def verify(self, secret: str) -> None:
        """Raise InvalidSignature unless it is signed with the secret, at its own timestamp."""
        signatures.verify(secrets=[secret], headers=self.headers, body=self.body, now=self.timestamp)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # else connections that come together wait for seconds


class Receiver:
    """`plan(path, …)` queues answers for a path; without a plan it answers 204."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._plans: dict[str, list[Answer]] = {}
        self.received: list[Received] = []
        self.arrived = threading.Condition(self._lock)
        self.most_at_once = 0
        self.connections = 0
        self._at_once = 0

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def plan(self, path: str, *answers: Answer) -> None:
        with self._lock:
            self._plans.setdefault(path, []).extend(answers)

    def at(self, path: str) -> list[Received]:
        with self._lock:
            return [one for one in self.received if one.path == path]

    def wait_for(self, count: int, *, path: str | None = None) -> None:
        """Wait until so many requests have come."""
        with self.arrived:
            assert self.arrived.wait_for(
                lambda: len([one for one in self.received if path in (None, one.path)]) >= count, timeout=10
            )

    def take(self, received: Received) -> Answer:
        with self.arrived:
            self.received.append(received)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.arrived.notify_all()
            plan = self._plans.get(received.path)
            return plan.pop(0) if plan else Answer()

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            receiver.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(Received(self.path, headers, body))
            try:
                self._answer(answer)
            except OSError:
                self.close_connection = True
            finally:
                receiver.leave()

        do_GET = do_POST

        def _answer(self, answer: Answer) -> None:
            if answer.when is not None:
                answer.when.wait(20)
            if answer.hangs_up:
                self.close_connection = True
                return
            if answer.drips:
                for _ in range(200):
                    self.wfile.write(b"H")
                    self.wfile.flush()
                    if stopped.wait(0.05):
                        return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            return

    stopped = threading.Event()
    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
