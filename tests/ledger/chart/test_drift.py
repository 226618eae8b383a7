"""The drift check returns nothing for what is bundled and loaded, and names a planted drift of every kind."""

import io
from collections.abc import Mapping as AnyMapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from ledger import accounts, verify
from ledger.accounts import AccountKind, Opening
from ledger.chart import bundled, drift, mappings, stored, system_check
from ledger.chart.drift import Drift
from ledger.chart.entries import Chart, from_rows
from ledger.models.journal import AccountClass, BalanceRule
from tests.ledger.chart.finance import codes, collection, open_accounts
from tests.ledger.door import Item, Move, results


def _mappings() -> dict[str, Any]:
    return deepcopy(dict(bundled.contents()))


def _found(
    *,
    contents: AnyMapping[str, Any] | None = None,
    sources: AnyMapping[str, str] | None = None,
    chart: Chart | None = None,
) -> list[Drift]:
    read = {name: mappings.from_content(name, content) for name, content in (contents or bundled.contents()).items()}
    return drift.find(
        chart=chart or bundled.chart(), mappings=read, sources=sources if sources is not None else bundled.sources()
    )


def _with(event_type: str, old: str, new: str) -> dict[str, str]:
    sources = dict(bundled.sources())
    assert old in sources[event_type]
    return {**sources, event_type: sources[event_type].replace(old, new)}


def test_the_baseline_has_no_drift() -> None:
    assert _found() == []
    assert run_checks(tags=[system_check.TAG]) == []


def test_a_mapping_or_a_template_without_the_other_is_named() -> None:
    contents, sources = _mappings(), dict(bundled.sources())
    del contents["POOL_FUNDING"], sources["FX_REVALUATION"]
    assert _found(contents=contents, sources=sources) == [
        Drift("mapping without template", "FX_REVALUATION", ""),
        Drift("template without mapping", "POOL_FUNDING", ""),
    ]


@pytest.mark.parametrize(
    "event_type, old, new, expected",
    [
        (
            "PAYIN_COLLECTION",
            "destination = $revenue",
            "destination = @revenue:orders",
            [
                ("off its mapping", "fee credits revenue:orders at GL code 4000, the mapping says 4010"),
                ("unused code", "fee credits nothing at GL code 4010"),
                ("unused account", "revenue takes part in no posting"),
            ],
        ),
        (
            "PAYIN_COLLECTION",
            "send $fee (\n  source = $bank\n  destination = $revenue",
            "send $fee (\n  source = $bank\n  destination = { 1/2 to $revenue remaining to @revenue:payout }",
            [("off its mapping", "fee credits revenue:payout at GL code 4020, the mapping says 4010")],
        ),
        (
            "PAYIN_COLLECTION",
            "send $fee (\n  source = $bank\n  destination = $revenue",
            "send $fee (\n  source = $bank\n  destination = { 1/2 to $revenue remaining to @nowhere }",
            [("off its mapping", "fee credits nowhere at no GL code of the chart, the mapping says 4010")],
        ),
        (
            "ORDER_COMPENSATION",
            "source = $transit\n  destination = $due",
            "source = $due\n  destination = $transit",
            [
                ("off its mapping", "amount debits due at GL code 1100, the mapping says 2900"),
                ("unused code", "amount debits nothing at GL code 2900"),
                ("off its mapping", "amount credits transit at GL code 2900, the mapping says 1100"),
                ("unused code", "amount credits nothing at GL code 1100"),
                ("main pair", "amount is posted 1100 to 2900, the mapping says 2900 to 1100"),
            ],
        ),
        (
            "PAYIN_CHARGEBACK",
            "send $amount (\n  source = { $wallet $receivable }",
            "send $amount (\n  source = $wallet",
            [
                (
                    "template",
                    "PAYIN_CHARGEBACK, template version 0: Not enough funds: [EUR 12] needed, [EUR 0] available.",
                )
            ],
        ),
        (
            "POOL_FUNDING",
            "send $amount (",
            "send [EUR 0] (",
            [
                ("unused line", "the template posts nothing for amount"),
                ("unused account", "world takes part in no posting"),
                ("unused account", "pool takes part in no posting"),
            ],
        ),
        ("POOL_FUNDING", "destination", "destinatoin", [("template", None)]),
        (
            "PAYOUT_SETTLE",
            "send $network_fee (\n  source = $wallet\n  destination = $bank",
            "send $network_fee (\n  source = $wallet\n  destination = $revenue",
            [
                ("off its mapping", "network_fee credits revenue at GL code 4020, the mapping says 1000"),
                ("unused code", "network_fee credits nothing at GL code 1000"),
                (drift.SETTLE, "network_fee from wallet (2004) to revenue (4020) is not in PAYOUT_RESERVE"),
                (drift.SETTLE, "network_fee from wallet (2005) to revenue (4020) is not in PAYOUT_RESERVE"),
            ],
        ),
        (
            "TRANSFER_RELEASE",
            "send $fee (\n  source = $revenue\n  destination = $transit",
            "send $fee (\n  source = $payee\n  destination = $transit",
            [
                ("off its mapping", "fee debits payee at GL code 2005, the mapping says 4030"),
                ("off its mapping", "fee debits payee at GL code 2004, the mapping says 4030"),
                ("unused code", "fee debits nothing at GL code 4030"),
                ("unused account", "revenue takes part in no posting"),
                (drift.RELEASE, "fee from payee (2004) to transit (2910) is too many"),
                (drift.RELEASE, "fee from payee (2005) to transit (2910) is too many"),
                (drift.RELEASE, "fee from revenue (4030) to transit (2910) is missing"),
            ],
        ),
    ],
)
def test_a_changed_template_is_named(
    event_type: str, old: str, new: str, expected: list[tuple[str, str | None]]
) -> None:
    found = _found(sources=_with(event_type, old, new))
    assert [
        (one.kind, one.detail if detail is not None else None) for one, (_, detail) in zip(found, expected, strict=True)
    ] == (expected)
    assert {one.subject for one in found} == {event_type}


@pytest.mark.parametrize(
    "event_type, change, expected",
    [
        (
            "PAYIN_COLLECTION",
            {"credit": "4010"},
            ("main pair", "net is posted 1000 to 2004, 1000 to 2005, the mapping says 1000 to 4010"),
        ),
        ("PAYIN_COLLECTION", {"main": "gross"}, ("main pair", "the mapping has no line gross")),
        ("PAYOUT_SETTLE", {"ends": "TRADE_SETTLE"}, ("phase", "settle names TRADE_SETTLE, which is no reserve type")),
        ("PAYOUT_RELEASE", {"ends": None}, ("phase", "release names nothing, which is no reserve type")),
        ("PAYIN_REFUND", {"ends": "PAYOUT_RESERVE"}, ("phase", "plain ends no hold, but names PAYOUT_RESERVE")),
    ],
)
def test_a_changed_mapping_is_named(event_type: str, change: dict[str, Any], expected: tuple[str, str]) -> None:
    contents = _mappings()
    contents[event_type].update(change)
    assert [(one.kind, one.detail) for one in _found(contents=contents) if one.subject == event_type] == [expected]


def test_a_code_that_no_posting_lands_on_is_named() -> None:
    contents = _mappings()
    contents["PAYIN_COLLECTION"]["lines"]["fee"]["credit"].append("4020")
    assert _found(contents=contents) == [
        Drift("unused code", "PAYIN_COLLECTION", "fee credits nothing at GL code 4020")
    ]


def test_a_code_that_the_chart_lacks_is_named() -> None:
    chart = Chart([entry for entry in bundled.chart().entries if entry.gl_code != "4900"])
    assert _found(chart=chart) == [Drift("unknown code", "FX_REVALUATION", "the chart has no GL code 4900")]


def test_a_chart_with_a_code_or_a_pattern_twice_is_named() -> None:
    entries = list(bundled.chart().entries)
    again = replace(entries[0], name="Another bank", address="bank:{id}")
    found = _found(chart=Chart([*entries, again]))
    assert [str(one) for one in found if one.kind == "chart"] == [
        "chart: 1000: gl_code 1000 occurs twice",
        "chart: 1000: address bank:{id} is that of 1000",
    ]


def test_a_sub_code_is_at_the_code_above_it() -> None:
    chart = Chart(
        [
            *bundled.chart().entries,
            replace(bundled.chart().entry("4010"), gl_code="4010.1", address="revenue:payin:{provider}"),
        ]
    )
    assert _found(chart=chart) == []
    assert chart.address("4010.1", provider="p1") == "revenue:payin:p1"


# --- stored


@pytest.mark.usefixtures("database")
def test_the_command_ends_with_zero_when_nothing_drifts() -> None:
    open_accounts()
    out = io.StringIO()
    call_command("chart", "drift", stdout=out)
    assert out.getvalue().split("\n")[:2] == ["live: no drift", "test: no drift"]


@pytest.mark.usefixtures("database")
def test_the_command_names_a_missing_template_and_ends_with_one(superuser_connection: psycopg.Connection[Any]) -> None:
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(
        "DELETE FROM ledger_postingtemplate WHERE event_type = 'LATE_EFFECT' AND environment = 'test'"
    )
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("chart", "drift", stdout=out)
    assert ended.value.code == 1
    assert "test: mapping without template: LATE_EFFECT" in out.getvalue()
    assert "live: no drift" in out.getvalue()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "address, kind, fault",
    [
        (
            "merchants:m9:available",
            replace(accounts.MERCHANT, account_class=AccountClass.ASSET),
            "class asset, the chart says liability",
        ),
        ("merchants:m9:available", replace(accounts.MERCHANT, gl_code="2005"), "GL code 2005, the chart says 2004"),
        (
            "merchants:m9:available",
            replace(accounts.MERCHANT, normal_side="debit"),
            "normal side debit, the chart says credit",
        ),
        (
            "merchants:m9:available",
            replace(accounts.MERCHANT, balance_rule=BalanceRule.NONE),
            "balance rule none, the chart says debits_must_not_exceed_credits",
        ),
        ("somewhere:else", accounts.MERCHANT, "no pattern of the chart covers it; it carries GL code 2004"),
    ],
)
def test_an_account_that_carries_something_else_is_named(address: str, kind: AccountKind, fault: str) -> None:
    from tests.ledger.chart.rows import open_as_it_is

    open_as_it_is(Opening(address, "EUR", kind))
    assert stored.find("test") == [Drift("account", f"{address} EUR", fault)]
    assert stored.find("live") == []


@pytest.mark.usefixtures("database")
def test_an_account_of_the_code_above_agrees_with_a_later_sub_code() -> None:
    open_accounts()
    chart = Chart(
        [
            *bundled.chart().entries,
            replace(bundled.chart().entry("2004"), gl_code="2004.1", address="merchants:m1:available"),
        ]
    )
    assert list(stored.accounts_off("test", chart)) == []


@pytest.mark.usefixtures("database")
def test_verify_names_a_posting_off_its_mapping_and_one_of_no_event_type() -> None:
    open_accounts()
    assert codes(collection("good", 100, fee=5)) == ["created"]
    results(
        Item("off", [Move("bank:main", "revenue:payout", 7)], event_type="PAYIN_COLLECTION"),
        Item("none", [Move("bank:main", "revenue:payin", 7)], event_type="PAYIN_COLECTION"),
    )
    (verdict,) = [v for v in verify.verify() if v.breaks]
    assert verdict.check.name == "gl_drift"
    assert [(f.subject, f.detail.split("; the first")[0].split(", the first")[0]) for f in verdict.findings] == [
        ("PAYIN_COLECTION", "1 postings without a mapping"),
        ("PAYIN_COLECTION", "1 postings without a mapping"),
        ("PAYIN_COLLECTION", "1 postings at GL code 4020, which its mapping does not name"),
    ]


def test_the_chart_of_a_version_reads_back_as_it_was() -> None:
    from ledger.chart.entries import as_rows

    assert set(from_rows(as_rows(bundled.chart())).entries) == set(bundled.chart().entries)
