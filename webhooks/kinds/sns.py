"""Deliveries as messages to an Amazon SNS topic: the endpoint's URL is the topic's ARN. Needs the extra `sns` (boto3).

The body and the three headers are those of Standard Webhooks, the headers as message attributes, so that a subscriber
verifies a message as any receiver does. A FIFO topic keeps the order of each aggregate and knows a repeat by its id.
Credentials come from where boto3 looks for them; SNS_ENDPOINT_URL names another address than Amazon's.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final, Protocol, cast

from django.conf import settings

from webhooks import outbound
from webhooks.delivery_kinds import SignedMessage
from webhooks.outbound import OutboundRefused, OutboundResponse

_ARN: Final = re.compile(
    r"arn:aws(?:-[a-z]+)*:sns:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d{1,2}):\d{12}:[A-Za-z0-9_-]{1,256}(?P<fifo>\.fifo)?",
    re.ASCII,
)
_EXTRA_MISSING: Final = "SNS needs boto3, which is not installed: pip install 'holdfast[sns]'"
_CONNECTIONS: Final = 32


class _SnsClient(Protocol):
    def publish(self, **parameters: object) -> dict[str, Any]: ...


class SnsTopics:
    def refuse_unless_possible(self, url: str, *, environment: str) -> None:
        _region_of(url)
        if not is_installed():
            raise OutboundRefused(_EXTRA_MISSING)

    def send(self, message: SignedMessage) -> OutboundResponse:
        region = _region_of(message.url)
        if not is_installed():
            raise OutboundRefused(_EXTRA_MISSING)
        client = _client(region, settings.SNS_ENDPOINT_URL, message.timeout)
        return _translated(lambda: client.publish(**publication(message)))


def is_installed() -> bool:
    """Tell whether the extra is there."""
    return find_spec("boto3") is not None


def publication(message: SignedMessage) -> dict[str, object]:
    """Return the parameters of SNS's Publish."""
    parameters: dict[str, object] = {
        "TopicArn": message.url,
        "Message": message.body.decode(),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in message.headers.items()
            if value and name.startswith(("webhook-", "x-request-id"))
        },
    }
    if message.url.endswith(".fifo"):
        parameters["MessageGroupId"] = message.aggregate
        parameters["MessageDeduplicationId"] = message.headers["webhook-id"]
    return parameters


def _region_of(arn: str) -> str:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise OutboundRefused("the address is no ARN of an SNS topic")
    return match.group("region")


def _translated(publish: Callable[[], dict[str, Any]]) -> OutboundResponse:
    """Publish, and say what came of it in the words of HTTP."""
    errors = import_module("botocore.exceptions")
    try:
        answer = publish()
    except errors.ClientError as error:
        told = cast(dict[str, Any], error.response)
        status = int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
        code = str(told.get("Error", {}).get("Code", ""))
        return OutboundResponse(status=status, headers={}, body=code.encode())
    except (errors.EndpointConnectionError, errors.ConnectTimeoutError) as error:
        raise outbound.NotSent(type(error).__name__) from error
    except errors.ReadTimeoutError as error:
        raise outbound.TimedOut(type(error).__name__) from error
    except (errors.NoCredentialsError, errors.PartialCredentialsError, errors.NoRegionError) as error:
        raise OutboundRefused(f"SNS is not configured: {type(error).__name__}") from error
    except errors.BotoCoreError as error:
        raise outbound.Broken(type(error).__name__) from error
    return OutboundResponse(status=200, headers={}, body=str(answer.get("MessageId", "")).encode())


@cache
def _client(region: str, endpoint_url: str, timeout: float) -> _SnsClient:
    """One client per region; it asks once, since retries are ours."""
    boto3: ModuleType = import_module("boto3")
    config: ModuleType = import_module("botocore.config")
    made = boto3.session.Session().client(
        "sns",
        region_name=region,
        endpoint_url=endpoint_url or None,
        config=config.Config(
            connect_timeout=timeout / 2,
            read_timeout=timeout / 2,
            retries={"total_max_attempts": 1},
            max_pool_connections=_CONNECTIONS,
            proxies={},
        ),
    )
    return cast(_SnsClient, made)
