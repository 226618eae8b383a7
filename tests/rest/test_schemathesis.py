"""Schemathesis reads the document and asks what it allows and what it forbids: no 5xx, and answers as documented."""

import json
import time
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.document import document
from config.wsgi import application
from tests.rest.conftest import Shop, open_house
from tests.rest.routes import TABLE, Reach
from tests.rest.world import make_world
from tests.webhooks.provider import make_sender

BUDGET_SECONDS = 45
_EXAMPLES = 30

_INBOX = "POST /v1/inbox/{provider}"
_CHECKS = (status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def described() -> Any:
    described = schemathesis.openapi.from_dict(yaml.load(document(), Loader=yaml.CSafeLoader))
    described.app = application
    return described


def test_nothing_breaks_when_schemathesis_asks(shop: Shop, described: Any) -> None:
    """Every operation, with data that the document allows and data that it forbids, within the budget."""
    world = make_world(shop.api)
    known = {
        "quote_id": world.quote,
        "order_id": world.order,
        "endpoint_id": world.endpoint,
        "delivery_id": world.delivery,
        "idempotency_key": world.sent_key,
        "pool_id": "EUR-USDT",
        "source_asset": "EUR",
        "source_amount": "100.00",
        "side": "buy",
        "user_reference": "alice",
        "address": "pools:EUR-USDT",
        "asset": "EUR",
        "event_type": "OPENING_BALANCE",
    }
    every = {f"{one.method.upper()} {one.path}": one for one in (r.ok() for r in described.get_all_operations())}
    assert set(every) == {*TABLE, _INBOX}
    operations = [operation for name, operation in every.items() if name != _INBOX]
    share = BUDGET_SECONDS / len(operations)
    secrets = {Reach.HOUSE: open_house().secret}
    asked = [
        _ask(
            operation,
            secrets.get(TABLE[f"{operation.method.upper()} {operation.path}"].reach, shop.api.secret),
            known,
            until=time.monotonic() + share,
        )
        for operation in operations
    ]
    assert min(asked) > 0


@pytest.mark.usefixtures("database")
def test_the_inbox_stays_quick_and_calm_when_schemathesis_sends(described: Any) -> None:
    """Signed and unsigned, what the document allows and what it forbids; some of it is stored."""
    sender = make_sender("fuzzed")
    operation = described["/v1/inbox/{provider}"]["POST"]
    statuses = set()

    @settings(max_examples=80, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), signs=st.booleans(), kind=st.sampled_from(["operation.updated", "x", ""]))
    def send(case: Any, signs: bool, kind: str) -> None:
        if signs:
            case.path_parameters = {"provider": sender.code}
            body = json.dumps({**case.body, "type": kind} if isinstance(case.body, dict) else case.body).encode()
            answer = sender.post(body, sender.signed("evt_1", body))
            statuses.add(answer.status_code)
            assert answer.status_code in (200, 202, 400), answer.content
            return
        answer = case.call()
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code not in (404, 405):
            case.validate_response(answer, checks=_CHECKS)

    send()
    assert {200, 202, 400, 401} <= statuses


def _ask(operation: Any, secret: str, known: dict[str, str], *, until: float) -> int:
    """Ask one operation until its time is over; return how many questions it took."""
    asked = 0
    cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, to_known=st.booleans())
    def ask(case: Any, to_known: bool) -> None:
        nonlocal asked
        if time.monotonic() > until and asked > 0:
            return
        if to_known:
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
            if isinstance(case.body, dict):
                case.body = {name: known.get(name, value) for name, value in case.body.items()}
        answer = case.call(headers={"Authorization": f"Bearer {secret}"})
        asked += 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code not in (404, 405):  # a path that is no route's is answered before any operation
            case.validate_response(answer, checks=_CHECKS)

    ask()
    return asked
