"""docs/sandbox.md and docs/wallet-protocol.yaml say what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.wallets.sandbox.calls import Desk
from wallets.gateways.operator_answers import REFUSALS
from wallets.sandbox.asks import OPERATIONS
from wallets.sandbox.bank_faults import BANK_COURSES, QUERY_FAULTS, WORDS, number_of
from wallets.sandbox.faults import COURSES, SIGHTS
from wallets.sandbox.receiver import ENDINGS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PROTOCOL: dict[str, Any] = yaml.safe_load((DOCS / "wallet-protocol.yaml").read_text(encoding="utf-8"))
GUIDE = (DOCS / "sandbox.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = GUIDE.partition(f"## {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def schema(name: str) -> Draft202012Validator:
    root = {"$ref": f"#/components/schemas/{name}", "components": PROTOCOL["components"]}
    return Draft202012Validator(root)


def test_the_guide_lists_every_magic_word_with_its_course() -> None:
    listed = {word.strip("`"): cells for word, *cells in rows("Magic words") if word != "(none)"}
    assert {word: (money, ask, sight) for word, (money, ask, sight, _) in listed.items()} == {
        word: (course.effect, course.manner, course.sight) for word, course in COURSES.items()
    }
    assert all(end for *_, end in listed.values())


def test_the_guide_lists_every_magic_value_of_the_bank() -> None:
    listed = {word.strip("`"): cells for word, *cells in rows("Magic values of the bank") if word != "(none)"}
    assert {word: number.strip("`") for word, (number, *_) in listed.items()} == {w: number_of(w) for w in WORDS}
    assert {
        word: (money, order, sight) for word, (_, money, order, sight, _) in listed.items() if word in BANK_COURSES
    } == {word: (one.course.effect, one.course.manner, one.course.sight) for word, one in BANK_COURSES.items()}
    assert set(QUERY_FAULTS) <= set(listed)


def test_the_guide_lists_every_receiver_and_lookup_fault() -> None:
    assert {cells[0].strip("`") for cells in rows("Webhook receiver")} == {"fail-3.shop", *ENDINGS}
    planned = next(cells[1] for cells in rows("Telling it") if "/admin/faults" in cells[0])
    assert set(SIGHTS) <= set(re.findall(r"`([a-z-]+)`", planned))


def test_the_protocol_names_the_refusals_and_operations_of_the_code() -> None:
    schemas = PROTOCOL["components"]["schemas"]
    assert set(schemas["RefusalCode"]["enum"]) == REFUSALS
    assert set(schemas["OperationName"]["enum"]) == set(OPERATIONS)
    assert set(PROTOCOL["paths"]) == {*(f"/{name}" for name in OPERATIONS), "/operations/{idempotency_key}"}


def test_every_reference_of_the_protocol_leads_somewhere() -> None:
    found = re.findall(r'"#/([^"]+)"', (DOCS / "wallet-protocol.yaml").read_text(encoding="utf-8"))
    assert found
    for reference in found:
        place: Any = PROTOCOL
        for step in reference.split("/"):
            place = place[step]
    for name in PROTOCOL["components"]["schemas"]:
        Draft202012Validator.check_schema(PROTOCOL["components"]["schemas"][name])


@pytest.mark.parametrize("word", ["alice", "magic-declined", "magic-pending", "magic-too-late", "magic-throttled"])
def test_the_sandbox_answers_as_the_protocol_says(word: str, desk: Desk) -> None:
    shapes = {200: "Confirmed", 202: "Pending", 422: "Refusal", 429: "Problem"}
    answer = desk.ask(word)
    schema(shapes[answer.status]).validate(json.loads(answer.body))
    for _ in range(2):
        seen = desk.look_up()
        schema("Operation" if seen.status == 200 else "NotFound").validate(json.loads(seen.body))
        desk.clock.pass_by(6)


def test_what_we_ask_has_the_protocols_shape() -> None:
    from tests.wallets.gateways.questions import REQUEST, OwnedTransport, ask
    from webhooks import outbound

    transport = OwnedTransport(lambda: outbound.OutboundResponse(500, {}, b""))
    with outbound.use(transport):
        ask(REQUEST, "https://wallet.example.com")
    (sent,) = transport.sent
    schema("Ask").validate(json.loads(sent.body))
    required = {"Idempotency-Key", "X-Request-Id", "Not-After", "webhook-id", "webhook-timestamp", "webhook-signature"}
    assert {name.lower() for name in required} <= set(sent.headers)
