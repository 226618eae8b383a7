"""F8: the relay, ordered by aggregate; and what the inbox takes to answer."""

import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psycopg

from config.local.stack import LocalStack
from tests.bench.rows import Row

_EVENTS = 40_000
_PER_AGGREGATE = 10
_BATCH = 100
_ROUNDS = 3
_MESSAGES = 400

_RECORD = """
SELECT record_moves('test', (
    SELECT jsonb_agg(jsonb_build_object('operator_id', 1, 'machine', 'order', 'subject', 'bench_' || %(round)s || '_' || a,
        'sequence', s, 'from_state', 'queued', 'to_state', 'processing', 'actor', 'bench', 'cause', 'bench',
        'request_id', '', 'event_reference', '', 'event', jsonb_build_object(
            'reference', 'evt_bench_' || %(round)s || '_' || a || '_' || s, 'topic', 'bench.moved',
            'payload', jsonb_build_object('sequence', s), 'public', true)) ORDER BY a, s)
    FROM generate_series(%(first)s::int, %(last)s::int) AS a, generate_series(1, %(each)s::int) AS s), clock_timestamp())
"""
_QUEUE = """
CREATE TABLE IF NOT EXISTS bench_queue (
    event_id bigint PRIMARY KEY, aggregate text, sequence integer, available_at timestamptz
);
CREATE INDEX IF NOT EXISTS bench_queue_due ON bench_queue (available_at);
TRUNCATE bench_queue;
INSERT INTO bench_queue SELECT event_id, aggregate, sequence, available_at FROM ledger_queuedevent;
ANALYZE bench_queue;
"""
_TAKE = (
    "DELETE FROM bench_queue WHERE event_id IN (SELECT event_id FROM bench_queue WHERE available_at <= clock_timestamp()"
    " ORDER BY available_at, event_id LIMIT %s FOR UPDATE SKIP LOCKED)"
)
_DRAIN = """
import time
import django; django.setup()
from ledger.controls import drains
drains.depth("relay")
began = time.monotonic()
done = 0
while count := drains.drain("relay"):
    done += count
print(done / (time.monotonic() - began))
"""


def relay(stack: LocalStack) -> Row:
    """F8: one relay drains public events that no endpoint wants: taken in order, given places in the feed; 100 a batch."""
    ours, theirs = [], []
    for number in range(_ROUNDS):
        _record(stack, number)
        theirs.append(_bare(stack))
        ours.append(_relay(stack))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Row(
        "F8",
        statistics.median(ours),
        "events/s",
        statistics.median(theirs),
        ratio,
        "≥ 15k/s",
        f"one process, {_BATCH} a batch, ordered by aggregate ({_PER_AGGREGATE} each), places in the feed;"
        f" baseline: bare DELETE of {_BATCH}",
    )


def inbox(stack: LocalStack) -> Row:
    """The inbox: p99 of an answer in milliseconds, one client; baseline: the same of /livez."""
    told = json.loads(stack.answer_of("inbox_provider", "create", "bench", "--may-bring", "bench.told"))
    parts = urlsplit(stack.url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    empty = [_timed(connection, "GET", "/livez", b"", {}) for _ in range(_MESSAGES)]
    taken = []
    for number in range(_MESSAGES):
        body = json.dumps({"type": "bench.told", "data": {"n": number}}).encode()
        taken.append(_timed(connection, "POST", told["path"], body, _signed(told["secret"], f"bench_{number}", body)))
    value, baseline = (sorted(times)[int(len(times) * 0.99)] * 1000 for times in (taken, empty))
    return Row(
        "inbox",
        value,
        "ms p99",
        baseline,
        value / baseline,
        "≤ 50 ms",
        f"one client, {_MESSAGES} messages, verified and stored; p50 {statistics.median(taken) * 1000:.1f} ms;"
        " baseline: p99 of /livez",
    )


def _record(stack: LocalStack, number: int) -> None:
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        for first in range(1, _EVENTS // _PER_AGGREGATE + 1, 400):
            given = {"round": str(number), "first": first, "last": first + 399, "each": _PER_AGGREGATE}
            connection.execute(_RECORD, given)


def _bare(stack: LocalStack) -> float:
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        connection.execute(_QUEUE)
        began, done = time.monotonic(), 0
        while count := connection.execute(_TAKE, [_BATCH]).rowcount:
            done += count
        return done / (time.monotonic() - began)


def _relay(stack: LocalStack) -> float:
    said = subprocess.run(
        [sys.executable, "-c", _DRAIN],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, **stack.environment, "DOORBELL": "ledger.controls.bell.SilentBell"},
    )
    return float(said.stdout.split()[-1])


def _signed(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    key = b64decode(secret.removeprefix("whsec_"))
    made = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + b64encode(made).decode(),
    }


def _timed(connection: HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> float:
    began = time.monotonic()
    connection.request(method, path, body=body or None, headers=headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status < 300, answer.status
    return time.monotonic() - began
