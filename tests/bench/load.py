"""Load on an HTTP address: as fast as some connections go, or at a steady rate; latencies as clients see them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

Request = tuple[str, bytes, dict[str, str]]
"""Path, body and headers of a POST."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many were answered as they should, in how many seconds, and the latencies in seconds, sorted."""

    answered: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    def at(self, share: float) -> float:
        """Return the latency in milliseconds below which that share lies."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)] * 1000


def hammer(url: str, make: Callable[[int], Request], *, connections: int, seconds: float, wanted: int) -> Load:
    """Ask again as soon as one is answered, from each connection."""
    began = time.monotonic()
    return _run(url, make, connections, wanted, lambda turn: 0.0 if time.monotonic() - began < seconds else None)


def steady(
    url: str, make: Callable[[int], Request], *, per_second: float, connections: int, seconds: float, wanted: int
) -> Load:
    """Ask at a steady rate, whatever is answered; a latency counts from when its request was due."""
    began = time.monotonic()

    def due(turn: int) -> float | None:
        at = began + turn / per_second
        return at if at - began < seconds else None

    return _run(url, make, connections, wanted, due)


def _run(
    url: str, make: Callable[[int], Request], connections: int, wanted: int, due: Callable[[int], float | None]
) -> Load:
    parts = urlsplit(url)
    latencies: list[float] = []
    faults: list[bytes] = []
    lock = threading.Lock()
    turns = iter(range(10**9))

    def client() -> None:
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        while not faults:
            with lock:
                turn = next(turns)
            at = due(turn)
            if at is None:
                return
            path, body, headers = make(turn)
            if at:
                time.sleep(max(0.0, at - time.monotonic()))
            started = at or time.monotonic()
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != wanted:
                faults.append(content)
            latencies.append(time.monotonic() - started)

    began = time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0][:500]
    return Load(len(latencies), time.monotonic() - began, sorted(latencies))
