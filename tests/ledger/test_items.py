"""An item is written member by member: read as JSON it is what its draft says, and nothing that goes without saying."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger import journal
from ledger.chart import bundled
from ledger.chart.template import Template
from ledger.drafts import Draft, Flag
from ledger.numscript import Monetary, parse

TEMPLATES: Final = [
    Template(
        version=number,
        number=1,
        mapping=bundled.gl_mappings()[event_type],
        program=parse(bundled.sources()[event_type]),
    )
    for number, event_type in enumerate(["OPENING_BALANCE", "TRANSFER_HOLD", "TRANSFER_SETTLE", "TRANSFER_RELEASE"], 1)
]
_TEXTS: Final = st.text(max_size=5)
_NAMED: Final = st.dictionaries(_TEXTS, _TEXTS, max_size=2)
_INSTANTS: Final = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


def _expected(draft: Draft, template: Template, metadata: dict[str, str], request_id: str) -> dict[str, Any]:
    said = {
        "phase": template.phase.value if template.phase != "plain" else "",
        "request_id": request_id,
        "refs": dict(draft.refs),
        "metadata": metadata,
        "effective_at": draft.effective_at.isoformat() if draft.effective_at else "",
        "timeout": draft.timeout,
        "hold_key": draft.hold_key,
        "linked": draft.linked,
        "refuse_locked": draft.refuse_locked,
        "flags": sorted(draft.flags),
    }
    return {
        "event_type": draft.event_type,
        "template_version": template.version,
        "key": draft.key,
        "subject": draft.subject,
        **{name: value for name, value in said.items() if value or (name == "hold_key" and value is not None)},
    }


@settings(max_examples=300, deadline=None)
@example(TEMPLATES[1], '"\\\n\0é\ud800', {"a": '"'}, {}, None, 2**32, "", True, True, frozenset(Flag), "")
@given(
    st.sampled_from(TEMPLATES),
    _TEXTS,
    _NAMED,
    _NAMED,
    st.none() | _INSTANTS,
    st.integers(0, 99),
    st.none() | _TEXTS,
    st.booleans(),
    st.booleans(),
    st.frozensets(st.sampled_from(Flag), max_size=2),
    _TEXTS,
)
def test_an_item_says_what_its_draft_says(
    template: Template,
    text: str,
    refs: dict[str, str],
    metadata: dict[str, str],
    effective_at: datetime | None,
    timeout: int,
    hold_key: str | None,
    linked: bool,
    refuse_locked: bool,
    flags: frozenset[Flag],
    request_id: str,
) -> None:
    draft = Draft(
        event_type=template.mapping.event_type,
        key=text,
        subject=text[::-1],
        refs=refs,
        metadata=metadata,
        effective_at=effective_at,
        timeout=timeout,
        hold_key=hold_key,
        linked=linked,
        refuse_locked=refuse_locked,
        flags=flags,
    )
    item = json.loads(journal._item(draft, template, {}, request_id))
    assert _sorted(item) == _sorted(_expected(draft, template, metadata, request_id))
    added = json.loads(journal._item(draft, template, {"sum": Monetary("EUR", 5)}, request_id))
    assert _sorted(added) == _sorted(_expected(draft, template, {**metadata, "sum": "EUR 5"}, request_id))


def _sorted(item: dict[str, Any]) -> str:
    """As text, in which 1 is not true."""
    return json.dumps(item, sort_keys=True)
