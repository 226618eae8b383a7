"""The routes of webhook endpoints and of the feed: what they show, keep, refuse, and never show."""

import json
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook

from ledger.controls import clock, drains
from tests.webhooks.edge import record_events
from tests.webhooks.receiver import Answer, Receiver
from wallets import operators
from wallets.models import OperatorKey
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.usefixtures("database")


class Partner:
    """An operator's server with one key."""

    def __init__(self, slug: str, *, environment: str = "test", scopes: tuple[str, ...] = ("webhooks", "read")) -> None:
        self.operator = operators.create_operator(name=slug, slug=slug, kind="operator", now=clock.now())
        issued = operators.issue_key(
            operator=self.operator,
            environment=environment,
            label="",
            scopes=list(scopes),
            created_by="",
            now=clock.now(),
        )
        self._client = Client(headers={"Authorization": f"Bearer {issued.secret}"}, raise_request_exception=False)
        self._keys = 0

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        answer = self._client.get(f"/v1/{path}")
        return answer.status_code, answer.json()

    def post(self, path: str, body: object = None, *, key: str | None = None) -> tuple[int, dict[str, Any]]:
        self._keys += 1
        answer = self._client.post(
            f"/v1/{path}",
            data=b"" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": key or f"key:{self._keys}"},
        )
        return answer.status_code, answer.json()

    def patch(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        answer = self._client.patch(f"/v1/{path}", data=json.dumps(body), content_type="application/json")
        return answer.status_code, answer.json()


def test_an_endpoint_from_its_creation_to_its_end(receiver: Receiver) -> None:
    partner = Partner("acme")
    status, made = partner.post("webhook-endpoints", {"url": receiver.url(), "topics": ["order.*"]})
    assert status == 201
    reference, secret = made["endpoint_id"], made.pop("secret")
    assert secret.startswith("whsec_")
    assert partner.get("webhook-endpoints") == (200, {"data": [made]})
    assert partner.get(f"webhook-endpoints/{reference}") == (200, made)

    status, delivery = partner.post(f"webhook-endpoints/{reference}/test")
    assert (status, delivery["status"], delivery["type"]) == (202, "pending", "webhook_endpoint.test")
    drains.drain("deliveries")
    (received,) = receiver.received
    assert Webhook(secret).verify(received.body, received.headers)["data"] == {"endpoint_id": reference}

    receiver.plan("/hook", Answer(500))
    record_events("ord_1", range(1, 2), operator_id=partner.operator.pk)
    drains.drain_all()
    _, page = partner.get(f"webhook-endpoints/{reference}/deliveries?status=pending")
    (failed,) = page["data"]
    assert [(one["number"], one["http_status"]) for one in failed["attempts"]] == [(1, 500)]
    assert failed["next_attempt_at"] is not None

    status, again = partner.post(f"webhook-endpoints/{reference}/deliveries/{failed['delivery_id']}/redeliver")
    assert (status, again["event_id"]) == (202, failed["event_id"])
    assert again["delivery_id"] == failed["delivery_id"]  # it waited: it is tried now
    drains.drain_all()
    assert len(receiver.received) == 3

    status, changed = partner.patch(f"webhook-endpoints/{reference}", {"url": receiver.url("/new"), "topics": []})
    assert (status, changed["url"], changed["topics"]) == (200, receiver.url("/new"), [])
    status, ended = partner.post(f"webhook-endpoints/{reference}/disable")
    assert (status, ended["enabled"], ended["disabled_reason"]) == (200, False, "disabled by the operator")
    assert partner.post(f"webhook-endpoints/{reference}/test")[0] == 409
    assert partner.post(f"webhook-endpoints/{reference}/deliveries/{failed['delivery_id']}/redeliver")[0] == 409
    assert partner.post(f"webhook-endpoints/{reference}/enable")[1]["enabled"] is True


def test_a_repeated_creation_gets_the_first_answer(receiver: Receiver) -> None:
    partner = Partner("acme")
    first = partner.post("webhook-endpoints", {"url": receiver.url()}, key="once")
    assert partner.post("webhook-endpoints", {"url": receiver.url()}, key="once") == first
    assert Endpoint.objects.count() == 1


@pytest.mark.parametrize(
    "body, field",
    [
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://user:pass@hooks.example.com/"}, "url"),
        ({"url": "ftp://hooks.example.com/"}, "url"),
        ({"url": "https://hooks.example.com/" + "a" * 500}, "url"),
        ({"url": 7}, "url"),
        ({}, "url"),
        ({"url": "https://hooks.example.com/", "topics": ["case.open"]}, "topics"),
        ({"url": "https://hooks.example.com/", "topics": ["order"]}, "topics"),
        ({"url": "https://hooks.example.com/", "topics": "order.*"}, "topics"),
        ({"url": "https://hooks.example.com/", "secret": "whsec_mine"}, "secret"),
    ],
)
def test_a_creation_off_shape_is_refused(body: dict[str, Any], field: str) -> None:
    status, problem = Partner("acme").post("webhook-endpoints", body)
    assert status == 400
    assert field in problem["errors"]
    assert Endpoint.objects.count() == 0


def test_a_live_endpoint_is_https() -> None:
    partner = Partner("acme", environment="live")
    assert partner.post("webhook-endpoints", {"url": "http://hooks.example.com/"})[0] == 400
    assert partner.post("webhook-endpoints", {"url": "https://hooks.example.com/"})[0] == 201


def test_the_twenty_first_endpoint_is_refused() -> None:
    partner = Partner("acme")
    for _ in range(20):
        assert partner.post("webhook-endpoints", {"url": "https://hooks.example.com/"})[0] == 201
    status, problem = partner.post("webhook-endpoints", {"url": "https://hooks.example.com/"})
    assert (status, problem["code"]) == (422, "too_many_endpoints")


@pytest.mark.parametrize("other", ["other operator", "other environment"])
def test_what_is_another_s_is_not_there(other: str, receiver: Receiver) -> None:
    partner = Partner("acme")
    reference = partner.post("webhook-endpoints", {"url": receiver.url()})[1]["endpoint_id"]
    delivery = partner.post(f"webhook-endpoints/{reference}/test")[1]["delivery_id"]
    (event,) = record_events("ord_1", range(1, 2), operator_id=partner.operator.pk)
    drains.drain("relay")
    if other == "other operator":
        stranger = Partner("beta")
    else:
        stranger = Partner("acme-live", environment="live")
        OperatorKey.objects.update(operator=partner.operator)
    paths = ["disable", "enable", "test", f"deliveries/{delivery}/redeliver"]
    assert [stranger.post(f"webhook-endpoints/{reference}/{path}")[0] for path in paths] == [404] * 4
    assert stranger.get(f"webhook-endpoints/{reference}")[0] == 404
    assert stranger.get(f"webhook-endpoints/{reference}/deliveries")[0] == 404
    assert stranger.patch(f"webhook-endpoints/{reference}", {"description": "mine now"})[0] == 404
    assert stranger.get("webhook-endpoints")[1] == {"data": []}
    assert stranger.get("events")[1]["data"] == []
    assert stranger.get(f"events?after={event}")[0] == 400
    assert Endpoint.objects.get().disabled_at is None
    assert Delivery.objects.count() == 2


def test_a_key_without_the_scope_is_refused() -> None:
    partner = Partner("acme", scopes=("quotes",))
    assert partner.get("webhook-endpoints")[0] == 403
    assert partner.get("events")[0] == 403
    assert partner.post("webhook-endpoints", {"url": "https://hooks.example.com/"})[0] == 403


def test_the_feed_goes_on_after_what_was_seen() -> None:
    partner = Partner("acme")
    made = record_events("ord_1", range(1, 8), operator_id=partner.operator.pk)
    record_events("rev_1", range(1, 3), operator_id=partner.operator.pk, public=False, topic="review_case.open")
    record_events("ord_2", range(1, 3), operator_id=None)
    assert partner.get("events")[1] == {"data": [], "next": None, "more": False}, "nothing is relayed yet"
    drains.drain("relay")

    status, first = partner.get("events?limit=3")
    assert status == 200
    assert ([event["id"] for event in first["data"]], first["next"], first["more"]) == (made[:3], made[2], True)
    _, rest = partner.get(f"events?limit=100&after={first['next']}")
    assert ([event["id"] for event in rest["data"]], rest["next"], rest["more"]) == (made[3:], made[6], False)
    _, none = partner.get(f"events?after={rest['next']}")
    assert none == {"data": [], "next": made[6], "more": False}
    assert first["data"][0] | {"timestamp": ""} == {
        "type": "order.processed",
        "timestamp": "",
        "id": made[0],
        "environment": "test",
        "data": {"order_id": "ord_1", "sequence": 1, "note": "żółw €"},
    }
    for after in ("evt_nothing", "x", "' OR 1=1", "evt_" + "0" * 26):
        status, problem = partner.get(f"events?after={after}")
        assert (status, problem["code"]) == (400, "malformed_cursor")
    assert partner.get("events?limit=0")[0] == partner.get("events?limit=101")[0] == 400


def test_a_secret_is_in_its_creation_s_answer_alone(receiver: Receiver) -> None:
    partner = Partner("acme")
    _, made = partner.post("webhook-endpoints", {"url": receiver.url()})
    partner.post(f"webhook-endpoints/{made['endpoint_id']}/test")
    drains.drain("deliveries")
    answers = [
        partner.get("webhook-endpoints"),
        partner.get(f"webhook-endpoints/{made['endpoint_id']}"),
        partner.get(f"webhook-endpoints/{made['endpoint_id']}/deliveries"),
        partner.patch(f"webhook-endpoints/{made['endpoint_id']}", {"description": "x"}),
        partner.post(f"webhook-endpoints/{made['endpoint_id']}/disable"),
        partner.get("events"),
    ]
    assert made["secret"].removeprefix("whsec_") not in json.dumps(answers)
