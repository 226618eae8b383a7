"""The operator's webhook receiver."""

from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from tests.wallets.sandbox.calls import START, Desk
from wallets.sandbox.messages import Answer, Ending

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
BODY = '{"type":"order.processed","note":"é"}'


def deliver(desk: Desk, name: str, *, event: str = "evt_1", signed_body: str = BODY, age: int = 0) -> Answer:
    at = START - timedelta(seconds=age)
    headers = {
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(event, at, signed_body),
        "x-request-id": "req_1",
    }
    return desk.send("POST", f"/webhooks/{name}", BODY.encode(), headers)


@pytest.mark.parametrize(
    ("case", "signed_body", "age", "status", "signature"),
    [
        ("as signed", BODY, 0, 204, "verified"),
        ("another body", BODY + " ", 0, 401, "refused"),
        ("five minutes old", BODY, 300, 204, "verified"),
        ("older", BODY, 301, 401, "refused"),
    ],
)
def test_a_delivery_is_stored_with_its_verdict(
    case: str, signed_body: str, age: int, status: int, signature: str, desk: Desk
) -> None:
    desk.instruct("webhook-secret", name="shop", secret=SECRET)
    assert deliver(desk, "shop", signed_body=signed_body, age=age).status == status
    (stored,) = desk.rows("webhooks")
    assert (stored["name"], stored["webhook_id"], stored["signature"]) == ("shop", "evt_1", signature)
    assert (stored["body"], stored["request_id"], stored["status"]) == (BODY, "req_1", status)


def test_during_a_rotation_either_secret_verifies(desk: Desk) -> None:
    desk.instruct("webhook-secret", name="shop", secret="whsec_OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg=")
    assert deliver(desk, "shop").status == 401
    desk.instruct("webhook-secret", name="shop", secret=SECRET)
    assert deliver(desk, "shop").status == 204
    assert deliver(desk, "another").status == 204
    assert [row["signature"] for row in desk.rows("webhooks")] == ["refused", "verified", "unchecked"]


def test_a_failing_name_fails_so_many_times_per_event(desk: Desk) -> None:
    statuses = [deliver(desk, "fail-2.shop", event=event).status for event in ("a", "b", "a", "a", "b", "b")]
    assert statuses == [500, 500, 500, 204, 500, 204]


@pytest.mark.parametrize(
    ("name", "status", "ending"),
    [
        ("error", 500, Ending.SEND),
        ("gone.shop", 410, Ending.SEND),
        ("redirect", 302, Ending.SEND),
        ("throttled", 429, Ending.SEND),
        ("silence", 504, Ending.SILENCE),
        ("reset", 502, Ending.RESET),
        ("errors", 204, Ending.SEND),
    ],
)
def test_a_name_answers_as_it_is_called(name: str, status: int, ending: Ending, desk: Desk) -> None:
    for _ in range(2):
        answer = deliver(desk, name)
        assert (answer.status, answer.ending) == (status, ending)
    assert [row["status"] for row in desk.rows("webhooks")] == [status if ending is Ending.SEND else None] * 2


def test_a_planned_fault_befalls_deliveries_to_its_name(desk: Desk) -> None:
    desk.instruct("faults", question="webhook", fault="gone", prefix="shop", times=1)
    assert [deliver(desk, "shop").status for _ in range(2)] == [410, 204]
