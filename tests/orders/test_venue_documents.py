"""docs/venue-protocol.yaml and the venue's part of docs/sandbox.md say what the code does."""

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from orders.sandbox.asks import OPERATIONS
from orders.sandbox.faults import COURSES, WORDS
from orders.venues.http_answers import REFUSALS
from wallets.sandbox.faults import COURSES as COURSES_OF_ANY

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROTOCOL: dict[str, Any] = yaml.safe_load((DOCS / "venue-protocol.yaml").read_text(encoding="utf-8"))
SECTION = (DOCS / "sandbox.md").read_text(encoding="utf-8").partition("## The venue\n")[2].partition("\n## ")[0]


def test_the_protocol_names_the_refusals_and_operations_of_the_code() -> None:
    schemas = PROTOCOL["components"]["schemas"]
    assert set(schemas["Word"]["enum"]) == REFUSALS
    assert set(schemas["Ask"]["properties"]["operation"]["enum"]) == set(OPERATIONS)
    assert set(PROTOCOL["paths"]) == {"/quotes", *(f"/{name}" for name in OPERATIONS), "/operations/{idempotency_key}"}


def test_every_reference_of_the_protocol_leads_somewhere() -> None:
    found = re.findall(r'"#/([^"]+)"', (DOCS / "venue-protocol.yaml").read_text(encoding="utf-8"))
    assert found
    for reference in found:
        place: Any = PROTOCOL
        for step in reference.split("/"):
            place = place[step]
    for schema in PROTOCOL["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_guide_names_every_word_that_the_venue_adds_to_the_wallets() -> None:
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", SECTION, re.MULTILINE))
    assert listed - {"alice"} == set(WORDS) - set(COURSES_OF_ANY)
    assert set(COURSES_OF_ANY) - set(COURSES) == {"insufficient"}


def test_the_guide_says_how_an_order_ends_for_every_word_of_reserve_and_execute() -> None:
    rows = re.findall(r"^\| (`magic-(reserve|execute)-.*?) \| (.*) \|$", SECTION, re.MULTILINE)
    named: dict[str, set[str]] = {"reserve": set(), "execute": set()}
    for cell, leg, _ in rows:
        named[leg] |= {word.removeprefix(f"magic-{leg}-") for word in re.findall(r"`…?-?([a-z-]+?)(?:\.alice)?`", cell)}
    assert set(COURSES) - named["execute"] == set()
    assert {"released", "released-always", *COURSES} - named["reserve"] == set()
