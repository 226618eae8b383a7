"""A plan posts what the interpreter posts, and leaves to it whatever it refuses: tried on both, the two agree."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from ledger import journal
from ledger.chart import bundled
from ledger.chart.book_postings import ZERO, BookPosting, in_book
from ledger.chart.mappings import Phase
from ledger.chart.template import MissingParameter, Template, TemplateFailed, UnknownParameter
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft, Flag
from ledger.money import MAXIMUM_MINOR, Money
from ledger.numscript import Kind, parse

LOOKING: Final = {"LATE_EFFECT", "PAYIN_CHARGEBACK", "PAYIN_REFUND", "TRADE_RETURN"}
"""The event types whose templates look at balances: no plan is theirs."""


def _template(event_type: str, source: str | None = None) -> Template:
    return Template(
        version=7,
        number=1,
        mapping=bundled.gl_mappings()[event_type],
        program=parse(source or bundled.sources()[event_type]),
    )


PLANNED: Final = [_template(event_type) for event_type in sorted(set(bundled.sources()) - LOOKING)]
_COLLECTION: Final = bundled.sources()["PAYIN_COLLECTION"]
_LIKE_A_COLLECTION: Final = [
    _COLLECTION.replace("source = $bank", "source = $bank allowing unbounded overdraft"),
    _COLLECTION.replace("source = $bank", "source = @world", 1),
    _COLLECTION.replace("destination = $revenue", "destination = { 1/2 to $revenue remaining to $vat_account }"),
    _COLLECTION.replace("send $fee", "send $net"),
    _COLLECTION.replace("source = $bank", "source = $bank allowing overdraft up to [EUR 5]", 1),
    '#![feature("experimental-asset-colors")]\n' + _COLLECTION.replace("source = $bank", 'source = $bank \\ "RED"', 1),
    _COLLECTION.replace("account $revenue", "account $revenue = @revenue:fixed"),
    _COLLECTION + '\nset_tx_meta("net", $net)',
]
WRITTEN_BY_FINANCE: Final = [_template("PAYIN_COLLECTION", source) for source in _LIKE_A_COLLECTION]

ONLY_NET: Final = {"net": Money(1, "EUR")}

_AMOUNTS: Final = st.one_of(
    st.integers(0, 1000),
    st.sampled_from([0, -1, MAXIMUM_MINOR, ZERO, ZERO + 1, 2**256 - 1, 2**256, -(2**256)]),
)
_ASSETS: Final = st.one_of(st.just("EUR"), st.sampled_from(["USD/2", "", "eur", "EUR ", "EUR\n", "Ⅷ", None, 7]))
_MONIES: Final = st.builds(Money, _AMOUNTS, _ASSETS)
_ADDRESSES: Final = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(["world", "@world", "absent:fx-cash", "a" * 512, "a" * 513, "a\0b", "", None, 7]),
)


def _usual(template: Template, minor: int) -> Draft:
    """As a flow makes one: every amount and every account."""
    given = template.program.variables
    return Draft(
        event_type=template.mapping.event_type,
        key="k",
        subject="s",
        amounts={v.name: Money(minor, "EUR") for v in given if v.kind is Kind.MONETARY},
        accounts={template.role(v.name): f"at:{v.name}" for v in given if v.kind is Kind.ACCOUNT},
    )


@st.composite
def drafts(draw: st.DrawFn) -> tuple[Template, Draft]:
    """Of any template; a few of its parameters changed, left out or added."""
    template = draw(st.sampled_from([*PLANNED, *WRITTEN_BY_FINANCE]))
    draft = _usual(template, 1)
    amounts: dict[str, Any] = {name: Money(draw(st.integers(0, 99)), "EUR") for name in draft.amounts}
    accounts: dict[str, Any] = dict(draft.accounts)
    for named, values in ((amounts, _MONIES), (accounts, _ADDRESSES)):
        for name in draw(st.lists(st.sampled_from([*named, "strange"]), max_size=2)):
            if draw(st.booleans()):
                named[name] = draw(values)
            else:
                named.pop(name, None)
    flags = draw(st.sampled_from([frozenset[Flag](), frozenset[Flag](), frozenset({Flag.BALANCING_DEBIT})]))
    return template, replace(draft, amounts=amounts, accounts=accounts, flags=flags)


def _executed(template: Template, draft: Draft) -> list[BookPosting] | Refusal:
    try:
        done = template.sends(draft, template.given(draft))
    except Refusal as refusal:
        return refusal
    assert done.account_metadata == {}
    assert done.transaction_metadata == {} or template.plan is None
    return in_book(done.postings)


def test_every_template_that_looks_at_no_balance_has_a_plan() -> None:
    without = {name for name in bundled.sources() if _template(name).plan is None}
    assert without == LOOKING == {name for name in bundled.sources() if not bundled.is_balance_free(name)}


def test_a_template_that_does_more_than_send_has_no_plan() -> None:
    assert [template.plan is not None for template in WRITTEN_BY_FINANCE] == [True, *[False] * 7]


@pytest.mark.parametrize("template", PLANNED, ids=lambda template: template.mapping.event_type)
@pytest.mark.parametrize("minor", [0, 1, MAXIMUM_MINOR])
def test_a_usual_draft_is_filled_in_without_the_interpreter(template: Template, minor: int) -> None:
    draft = _usual(template, minor)
    assert template.plan is not None
    found = template.plan.postings(draft)
    assert found is not None
    assert len(found) == (len(draft.amounts) if minor else 0)
    assert found == _executed(template, draft)


@settings(max_examples=1500, deadline=None)
@given(drafts())
def test_a_plan_posts_what_the_interpreter_posts(work: tuple[Template, Draft]) -> None:
    template, draft = work
    planned = template.plan.postings(draft) if template.plan is not None else None
    executed = _executed(template, draft)
    event("planned" if planned is not None else "refused" if isinstance(executed, Refusal) else "interpreted")
    if planned is not None:
        assert planned == executed


@settings(max_examples=500, deadline=None)
@given(drafts())
def test_the_door_fills_in_as_the_interpreter_does(work: tuple[Template, Draft]) -> None:
    """Postings, or the refusal word for word."""
    template, draft = work
    assume(template.phase is not Phase.RELEASE)  # posts nothing, whatever its template says
    executed = _executed(template, draft)
    if not isinstance(executed, Refusal):
        assert journal._filled(draft, template)[2] == executed
        return
    with pytest.raises(type(executed)) as refused:
        journal._filled(draft, template)
    assert (str(refused.value), refused.value.code) == (str(executed), executed.code)


COLLECTION: Final = _template("PAYIN_COLLECTION")


@pytest.mark.parametrize(
    "change, refusal",
    [
        ({"amounts": {"fee": Money(1, "EUR")}}, MissingParameter),
        ({"amounts": {"net": Money(1, "EUR"), "gross": Money(1, "EUR")}}, UnknownParameter),
        ({"amounts": {"net": Money(-1, "EUR")}}, TemplateFailed),
        ({"amounts": {"net": Money(1, "eur")}}, TemplateFailed),
        ({"amounts": {"net": Money(0, "eur")}}, TemplateFailed),
        ({"amounts": {"net": Money(2**256, "EUR")}}, TemplateFailed),
        ({"accounts": {"bank": "b", "revenue": "r", "vat": "v"}}, MissingParameter),
        ({"accounts": {"bank": "b", "revenue": "r", "vat": "v", "wallet": ""}}, TemplateFailed),
        ({"accounts": {"bank": "b", "revenue": "r", "vat": "v", "wallet": "a" * 513}}, TemplateFailed),
        ({"accounts": {"bank": "b", "revenue": "r", "vat": "a\0", "wallet": "w"}, "amounts": ONLY_NET}, TemplateFailed),
    ],
)
def test_what_is_refused_is_left_to_the_interpreter(change: dict[str, Any], refusal: type[Refusal]) -> None:
    draft = replace(_usual(COLLECTION, 1), **change)
    assert COLLECTION.plan is not None
    assert COLLECTION.plan.postings(draft) is None
    with pytest.raises(refusal):
        journal._filled(draft, COLLECTION)


def test_the_outside_is_called_as_the_book_calls_it() -> None:
    draft = replace(_usual(COLLECTION, 5), accounts={**_usual(COLLECTION, 5).accounts, "bank": "world"})
    assert [(debit, credit) for debit, credit, *_ in journal._filled(draft, COLLECTION)[2]] == [
        ("@world", "at:wallet"),
        ("@world", "at:revenue"),
        ("@world", "at:vat_account"),
    ]
