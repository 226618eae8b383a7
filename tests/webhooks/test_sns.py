"""SNS as a kind of delivery. With the extra: over the real query protocol. Without it: the clear error, said aloud.

`make test` says in the name of the test that ran which of the two it was.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction as db_transaction
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from ledger.controls import clock, drains
from ledger.controls.refusals import Malformed
from tests.webhooks.edge import OPERATOR, attempts, column, mine, record_events, the_delivery
from tests.webhooks.sns_api import SnsApi, running_sns
from webhooks import delivery_kinds, endpoints, outbound
from webhooks.delivery_kinds import SignedMessage
from webhooks.kinds import sns
from webhooks.models import Endpoint

pytestmark = pytest.mark.usefixtures("database")

TOPIC = "arn:aws:sns:eu-central-1:123456789012:holdfast"
FIFO = TOPIC + ".fifo"
WITH_EXTRA = sns.is_installed()


def sns_endpoint(arn: str = TOPIC) -> Endpoint:
    return endpoints.create(
        operator_id=OPERATOR,
        environment="test",
        kind="sns",
        url=arn,
        topics=[],
        description="",
        now=clock.now(),
    )


@pytest.fixture
def amazon(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SnsApi]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an id for tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a key for tests")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with running_sns() as api:
        settings.SNS_ENDPOINT_URL = api.url
        yield api


def send_all() -> None:
    drains.drain("relay")
    drains.drain("deliveries")


def message(arn: str = TOPIC, **headers: str) -> SignedMessage:
    return SignedMessage(
        url=arn,
        environment="test",
        headers={"webhook-id": "evt_1", "webhook-timestamp": "5", "webhook-signature": "v1,x", **headers},
        body='{"note":"żółw"}'.encode(),
        aggregate="ord_1",
        timeout=5.0,
        max_response_bytes=1000,
    )


def test_a_publication_carries_body_and_headers_as_they_are() -> None:
    assert sns.publication(message(**{"x-request-id": "req_1", "authorization": "no"})) == {
        "TopicArn": TOPIC,
        "Message": '{"note":"żółw"}',
        "MessageAttributes": {
            "webhook-id": {"DataType": "String", "StringValue": "evt_1"},
            "webhook-timestamp": {"DataType": "String", "StringValue": "5"},
            "webhook-signature": {"DataType": "String", "StringValue": "v1,x"},
            "x-request-id": {"DataType": "String", "StringValue": "req_1"},
        },
    }


def test_a_fifo_topic_keeps_an_aggregate_s_order_and_knows_a_repeat() -> None:
    found = sns.publication(message(FIFO))
    assert (found["MessageGroupId"], found["MessageDeduplicationId"]) == ("ord_1", "evt_1")


@pytest.mark.parametrize(
    "arn",
    [
        "https://sns.eu-central-1.amazonaws.com/",
        "arn:aws:sqs:eu-central-1:123456789012:queue",
        "arn:aws:sns:eu-central-1:12345678901:short",
        "arn:aws:sns:evil.example.com/:123456789012:topic",
        "arn:aws:sns:eu-central-1:123456789012:to pic",
        "arn:aws:sns:eu-central-1:123456789012:topic\n",
        "arn:aws:sns:eu-central-1:١٢٣٤٥٦٧٨٩٠١٢:topic",
        "",
    ],
)
def test_what_is_no_topic_s_arn_is_refused(arn: str) -> None:
    with pytest.raises(Malformed):
        sns_endpoint(arn)
    with pytest.raises(outbound.OutboundRefused):
        delivery_kinds.adapter("sns").send(message(arn))
    assert Endpoint.objects.count() == 0


def test_an_operator_cannot_lead_an_sns_endpoint_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.kinds.sns.is_installed", lambda: True)
    endpoint = sns_endpoint()
    for url in ("https://hooks.example.com/in", TOPIC + "-other"):
        with pytest.raises(Malformed), db_transaction.atomic():
            endpoints.update(**mine(endpoint), url=url)
    with db_transaction.atomic():
        assert endpoints.update(**mine(endpoint), description="ours").url == TOPIC


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.kinds.sns.is_installed", lambda: True)
    sns_endpoint()
    monkeypatch.setattr("webhooks.kinds.sns.is_installed", lambda: False)
    with pytest.raises(Malformed) as refused:
        sns_endpoint(FIFO)
    assert "pip install 'holdfast[sns]'" in refused.value.errors["url"][0]
    record_events("ord_1", range(1, 2))
    send_all()
    assert the_delivery().state == "pending"
    (failure,) = column("SELECT failure FROM webhooks_deliveryattempt")
    assert failure == "refused: SNS needs boto3, which is not installed: pip install 'holdfast[sns]'"


if WITH_EXTRA:

    def test_with_the_extra_a_delivery_reaches_the_topic_and_verifies(amazon: SnsApi) -> None:
        endpoint = sns_endpoint()
        (reference,) = record_events("ord_1", range(1, 2))
        send_all()
        (given,) = amazon.published
        headers = amazon.attributes(0)
        told: Any = Webhook(endpoint.secret).verify(given["Message"], headers)
        assert (given["TopicArn"], told["id"], headers["webhook-id"]) == (TOPIC, reference, reference)
        assert the_delivery().state == "delivered"
        assert attempts() == [(1, 200)]

    def test_with_the_extra_a_fifo_topic_gets_its_group(amazon: SnsApi) -> None:
        sns_endpoint(FIFO)
        made = record_events("ord_1", range(1, 4))
        send_all()
        assert [one["MessageDeduplicationId"] for one in amazon.published] == made
        assert {one["MessageGroupId"] for one in amazon.published} == {"ord_1"}
        assert [json.loads(one["Message"])["data"]["sequence"] for one in amazon.published] == [1, 2, 3]

    @pytest.mark.parametrize("status, code", [(429, "Throttled"), (403, "AuthorizationError"), (500, "InternalError")])
    def test_with_the_extra_a_refusal_is_tried_again(
        amazon: SnsApi, fixed_clock: clock.FixedClock, status: int, code: str
    ) -> None:
        amazon.refusals = [(status, code)]
        sns_endpoint()
        record_events("ord_1", range(1, 2))
        send_all()
        assert attempts() == [(1, status)]
        assert column("SELECT excerpt FROM webhooks_deliveryattempt") == [code]
        assert len(amazon.published) == 1, "boto3 asked again by itself"
        fixed_clock.move_to(the_delivery().available_at)
        drains.drain("deliveries")
        assert the_delivery().state == "delivered"

    def test_with_the_extra_nobody_who_listens_is_no_connection(settings: Settings, amazon: SnsApi) -> None:
        settings.SNS_ENDPOINT_URL = "http://127.0.0.1:9"
        sns_endpoint()
        record_events("ord_1", range(1, 2))
        send_all()
        assert column("SELECT failure FROM webhooks_deliveryattempt") == ["no connection: EndpointConnectionError"]

else:

    def test_boto3_is_absent_so_that_sns_was_not_spoken_to_and_says_so_itself(amazon: SnsApi) -> None:
        with pytest.raises(outbound.OutboundRefused, match="pip install 'holdfast\\[sns\\]'"):
            delivery_kinds.adapter("sns").send(message())
        assert amazon.published == []
