"""Every event type of the baseline: the issue's list, its cases, and what the write door posts through it."""

from typing import Final

import pytest

from ledger.chart import bundled
from ledger.numscript.specs import check, found

EVENT_TYPES: Final = {
    "PAYIN_COLLECTION",
    "PAYIN_REFUND",
    "PAYIN_CHARGEBACK",
    "PAYOUT_RESERVE",
    "PAYOUT_SETTLE",
    "PAYOUT_RELEASE",
    "PAYOUT_RETURN",
    "TRANSFER_HOLD",
    "TRANSFER_SETTLE",
    "TRANSFER_RELEASE",
    "ORDER_DEBIT_CONFIRMED",
    "TRADE_RESERVE",
    "TRADE_SETTLE",
    "TRADE_RELEASE",
    "TRADE_RETURN",
    "ORDER_REDEMPTION",
    "ORDER_CREDIT_CONFIRMED",
    "ORDER_COMPENSATION",
    "ORDER_REVERSAL",
    "LATE_EFFECT",
    "RETURN_GIVEN_BACK",
    "RETURN_KEPT",
    "MARKET_VOID",
    "POOL_FUNDING",
    "OPERATOR_SETTLEMENT",
    "FX_REVALUATION",
    "OPENING_BALANCE",
    "MANUAL_ADJUSTMENT",
}


def test_mappings_and_templates_are_those_of_the_event_types() -> None:
    assert set(bundled.gl_mappings()) == EVENT_TYPES
    assert set(bundled.sources()) == EVENT_TYPES


def test_main_pair_of_a_collection_is_1000_to_2004() -> None:
    collection = bundled.gl_mappings()["PAYIN_COLLECTION"]
    assert (collection.debit, collection.credit) == ("1000", "2004")
    assert collection.lines["fee"].credit == ("4010",)
    assert collection.lines["vat"].credit == ("2500",)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_the_cases_beside_a_template_pass(event_type: str) -> None:
    (path,) = found(bundled.TEMPLATES / f"{event_type.lower()}.num")
    verdicts = list(check(path))
    assert verdicts
    assert [(verdict.case, verdict.mismatches) for verdict in verdicts if verdict.mismatches or verdict.skipped] == []


def test_every_chart_line_is_sound_by_itself() -> None:
    assert bundled.chart().faults() == {}
    assert len(bundled.chart().entries) == 22
