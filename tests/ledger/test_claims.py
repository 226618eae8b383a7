"""Rule I1: one `Idempotency-Key` is one effect and one answer."""

import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import DataError
from django.db import transaction as db_transaction

from ledger.controls import claims, request_context
from ledger.controls.claims import Answer, Answered, IdempotencyConflict, InProgress, MalformedKey, MissingKey, Taken
from ledger.models import Claim
from tests.servers import TestServers
from tests.threads import run_threads

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)
ANSWER = Answer(status=201, body=b'{"a":\xe2\x82\xac}', headers={"Location": "/v1/orders/1"})


def _take(key: str = "k", digest: str = "d", operator: int = 1, environment: str = "test") -> Taken | Answered:
    return claims.take(operator_id=operator, environment=environment, key=key, digest=digest, route="/v1/orders")


def _done(key: str = "k") -> None:
    with db_transaction.atomic(), request_context.bound(request_id="req_first"):
        taken = _take(key)
        assert isinstance(taken, Taken)
        claims.answer(taken, ANSWER, now=NOW)


def test_second_request_gets_the_first_answer_byte_for_byte() -> None:
    _done()
    with db_transaction.atomic():
        assert _take() == Answered(ANSWER)
    assert Claim.objects.count() == 1


def test_other_request_with_the_same_key_is_a_conflict() -> None:
    _done()
    with pytest.raises(IdempotencyConflict) as refused, db_transaction.atomic():
        _take(digest="other")
    assert refused.value.fields == {"first_request_id": "req_first"}


@pytest.mark.parametrize("other", [{"operator": 2}, {"environment": "live"}, {"key": "K"}])
def test_key_is_one_operators_in_one_environment(other: dict[str, str | int]) -> None:
    _done()
    with db_transaction.atomic():
        assert isinstance(_take(**other), Taken)  # type: ignore[arg-type]  # a row of the table above


def test_key_is_free_again_when_the_first_rolled_back() -> None:
    with db_transaction.atomic():
        assert isinstance(_take(), Taken)
        db_transaction.set_rollback(True)
    _done()


def test_claim_without_an_answer_is_in_progress() -> None:
    with db_transaction.atomic():
        _take()
    with pytest.raises(InProgress), db_transaction.atomic():
        _take()


def test_one_of_many_takes_the_key_when_all_come_at_once() -> None:
    def work() -> bool:
        with db_transaction.atomic():
            taken = _take()
            if isinstance(taken, Taken):
                claims.answer(taken, ANSWER, now=NOW)
                return True
            assert taken == Answered(ANSWER)
            return False

    ends = run_threads(*[work] * 12)
    assert sorted(ends, key=str) == [False] * 11 + [True]
    assert Claim.objects.count() == 1


def test_waiter_gets_the_answer_when_the_first_commits_in_time(servers: TestServers) -> None:
    with psycopg.connect(servers.url("holdfast_app")) as first:
        row = first.execute("SELECT take_claim(1, 'test', 'k', 'd', 'r', 'q', NULL)").fetchone()
        assert row is not None
        first.execute(
            "UPDATE ledger_claim SET answer_status = 201, answer_body = '', answer_headers = '{}', answered_at = now()"
            " WHERE id = %s",
            [row[0]],
        )
        began = threading.Event()

        def waiting() -> Taken | Answered:
            with db_transaction.atomic():
                began.set()
                return _take()

        def finishing() -> None:
            began.wait()
            with psycopg.connect(servers.url("postgres"), autocommit=True) as watch:
                for _ in range(150):
                    if watch.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                        break
                    watch.execute("SELECT pg_sleep(0.01)")
            first.commit()

        answered, _ = run_threads(waiting, finishing)
    assert answered == Answered(Answer(201, b"", {}))


def test_waiter_gives_up_after_two_seconds(servers: TestServers) -> None:
    with psycopg.connect(servers.url("holdfast_app")) as first:
        first.execute("SELECT take_claim(1, 'test', 'k', 'd', 'r', 'q', NULL)")
        began = time.monotonic()
        with pytest.raises(InProgress), db_transaction.atomic():
            _take()
        assert 1.9 <= time.monotonic() - began < 5
        first.commit()
    assert Claim.objects.count() == 1


def test_answer_is_written_once(application_connection: psycopg.Connection) -> None:
    _done()
    claim = Claim.objects.get()
    for last in (False, True):
        with pytest.raises(DataError, match="zero"), db_transaction.atomic():
            claims.answer(Taken(claim.pk, NOW), ANSWER, now=NOW, last=last)
    for change in ("answer_body = 'x'", "answer_status = 200", "digest = 'x'", "answered_at = NULL", "key = 'x'"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            application_connection.execute(f"UPDATE ledger_claim SET {change}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute("DELETE FROM ledger_claim")
    claim.refresh_from_db()
    assert bytes(claim.answer_body or b"") == ANSWER.body


@pytest.mark.parametrize("key", ["a", "A-z.0_:9", "k" * 255])
def test_key_is_taken_when_well_formed(key: str) -> None:
    assert claims.checked_key(key) == key


@pytest.mark.parametrize("key", ["k" * 256, "a b", "a\n", "ä", "a/b", "٣", "a\x00", " "])
def test_key_is_refused_when_malformed(key: str) -> None:
    with pytest.raises(MalformedKey):
        claims.checked_key(key)


@pytest.mark.parametrize("key", [None, ""])
def test_key_is_required(key: str | None) -> None:
    with pytest.raises(MissingKey):
        claims.checked_key(key)


def test_digest_tells_method_path_and_body_apart() -> None:
    whole = {"method": "POST", "path": "/v1/orders?a=1", "body": b"{}"}
    digests = {
        claims.digest(**{**whole, **other})  # type: ignore[arg-type]  # three known arguments
        for other in ({}, {"method": "PUT"}, {"path": "/v1/orders?a=2"}, {"path": "/v1/orders"}, {"body": b"{} "})
    }
    assert len(digests) == 5
