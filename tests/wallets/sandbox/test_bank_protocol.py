"""docs/bank-protocol.yaml says what the adapters send and what the sandbox's bank answers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ledger.controls import clock
from tests.wallets.gateways.questions import OwnedTransport
from tests.wallets.gateways.test_bank_answers import QUERY, REQUEST, _ask
from tests.wallets.sandbox.calls import Desk
from tests.wallets.sandbox.test_bank import SECRET, pay
from wallets.gateway_adapters import channel_adapter
from wallets.gateway_port import GatewayConnection
from wallets.gateways.bank_answers import REFUSALS
from webhooks import outbound

PROTOCOL: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "docs" / "bank-protocol.yaml").read_text(encoding="utf-8")
)


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": PROTOCOL["components"]})


def test_it_names_the_refusals_of_the_code() -> None:
    assert set(PROTOCOL["components"]["schemas"]["RefusalCode"]["enum"]) == REFUSALS


def test_what_we_send_has_its_shape() -> None:
    transport = OwnedTransport(lambda: outbound.OutboundResponse(500, {}, b""))
    at = GatewayConnection("https://bank.example.com", SECRET, "test")
    with outbound.use(transport), clock.use(clock.FixedClock(datetime.now(UTC))):
        channel_adapter("http_promptpay").query(QUERY, connection=at, request_id="req_1", timeout_seconds=2)
        _ask("promptpay", REQUEST)
        _ask("bank_transfer", REQUEST)
    for sent, name in zip(transport.sent, ("Query", "Confirm", "Transfer"), strict=True):
        schema(name).validate(json.loads(sent.body))


@pytest.mark.parametrize("name", ["Somchai", "magic-declined", "magic-account-closed", "magic-returned"])
def test_the_sandbox_answers_as_it_says(name: str, desk: Desk) -> None:
    desk.instruct("bank-inbox", url="http://127.0.0.1:8000/v1/inbox/bank", secret=SECRET)
    answer = pay(desk, name=name)
    schema("Refusal" if answer.status == 422 else "Submission").validate(json.loads(answer.body))
    for _ in range(2):
        seen = desk.send("GET", "/bank/transfers/pay_1:submit:v1")
        schema("Submission").validate(json.loads(seen.body))
        desk.clock.pass_by(86_400)
    for message in desk.sandbox.bank_messenger.due():
        content = json.loads(message.body)
        schema("Updated" if content["type"] == "payout.updated" else "Returned").validate(content)
