"""Kill a real process of a stack at a point while it moves money: gates that hold it there, and what its clients see.

A gate in the database holds a process at the point: a trigger that waits for a lock which the test holds. Then it is killed
hard.
"""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg

from config.local.processes import read_record
from config.local.programs import record_path
from config.local.stack import LocalStack

_GATE = """
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(99); RETURN NEW; END $$;
CREATE TRIGGER gate BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION wait_at_gate();
"""


@contextmanager
def gate(superuser: "psycopg.Connection[Any]", table: str, condition: str) -> Iterator[None]:
    """Hold whoever comes to this point until the body has ended; later ones pass."""
    superuser.execute("SELECT pg_advisory_lock(99)")
    superuser.execute(_GATE.format(table=table, condition=condition))
    try:
        yield
    finally:
        superuser.execute("SELECT pg_advisory_unlock(99)")
        superuser.execute(f"DROP TRIGGER gate ON {table}")
        superuser.execute("DROP FUNCTION wait_at_gate()")


def until_somebody_waits(superuser: "psycopg.Connection[Any]") -> None:
    question = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 99 AND NOT granted"
    wait_for(lambda: superuser.execute(question).fetchone() == (True,), "somebody stands at the gate", seconds=180)


def idle(superuser: "psycopg.Connection[Any]") -> bool:
    question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99"
    return superuser.execute(question).fetchone() == (0,)


def kill(stack: LocalStack, name: str) -> None:
    """Kill a process of the stack and what it has started, hard."""
    record = read_record(record_path(stack.places, name))
    assert record is not None
    for pid in [record.pid, *_children(record.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not record.is_running(), f"{name} is gone", seconds=90)


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return [*found, *(pid for child in found for pid in _children(child))]


def fund(superuser: "psycopg.Connection[Any]", account: str, asset: str) -> None:
    """Put 1,000.00 of an asset of two decimals into a wallet's account."""
    superuser.execute(
        "SELECT ledger_open_accounts((SELECT id FROM ledger_book WHERE environment = 'test')::smallint, '{@world}',"
        " ARRAY[%s], '{equity}', '{3900}', '{credit}', '{outside}', '{none}')",
        [asset],
    )
    funded = superuser.execute(
        "SELECT code FROM ledger_post((SELECT id FROM ledger_book WHERE environment = 'test')::smallint,"
        " jsonb_build_array(jsonb_build_object('key', 'fund:' || %(account)s, 'event_type', 'OPENING_BALANCE',"
        " 'phase', 'plain', 'subject', 'test')), '{1}', '{@world}', ARRAY[%(account)s], ARRAY[%(asset)s], '{100000}')",
        {"account": account, "asset": asset},
    ).fetchone()
    assert funded == ("created",)


def money_of(stack: LocalStack, wallet: str) -> tuple[str, str]:
    """Return what a wallet may spend, and what is held of it."""
    (told,) = ask(stack, f"/v1/wallets/{wallet}/balances")["data"]
    return str(told["available"]), str(told["held"])


def wait_for(done: Any, what: str, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def answers(stack: LocalStack) -> bool:
    try:
        return bool(ask(stack, "/v1/capabilities"))
    except (OSError, urllib.error.URLError):
        return False


def in_background(stack: LocalStack, path: str, body: Mapping[str, object], key: str) -> threading.Thread:
    def in_a_thread() -> None:
        with suppress(OSError, HTTPException):
            post(stack, path, body, key)

    thread = threading.Thread(target=in_a_thread, daemon=True)
    thread.start()
    return thread


def post(stack: LocalStack, path: str, body: Mapping[str, object], key: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return ask(stack, path, body=json.dumps(body).encode(), headers=headers)


def ask(
    stack: LocalStack, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    authorization = {"Authorization": f"Bearer {stack.kept()['api_key']}"}
    request = urllib.request.Request(f"{stack.url}{path}", data=body, headers={**authorization, **(headers or {})})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: dict[str, Any] = json.loads(answer.read())
    return content
