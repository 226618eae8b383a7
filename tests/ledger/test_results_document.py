"""docs/ledger-results.md lists every code that the write door can answer, and says which burn the key."""

import re
from pathlib import Path

import ledger

_SQL = Path(ledger.__file__).parent / "sql"
_DOCUMENT = _SQL.parent.parent / "docs" / "ledger-results.md"
_FILES = ("journal_post.sql", "journal_post_one.sql", "journal_post_list.sql", "journal_repeat.sql")

_COMPOSED = {
    "pending_transfer_already_": {"pending_transfer_already_posted", "pending_transfer_already_voided"},
}
_NO_CODES = {
    "balancing_debit",
    "balancing_credit",
    "closing_debit",
    "closing_credit",
    "debits_must_not_exceed_credits",
    "credits_must_not_exceed_debits",
}
_CODE = re.compile(
    r"'((?:created|exists|linked|id|flags|code|pending|timeout|overflows|closing|accounts|amount|period|debit|credit|"
    r"exceeds|reserved)[a-z_]*)'"
)


def _answered() -> set[str]:
    text = "\n".join(
        line.partition(" -- ")[0]
        for name in _FILES
        for line in (_SQL / name).read_text(encoding="utf-8").splitlines()
        if not line.startswith("--")
    )
    codes: set[str] = set()
    for word in _CODE.findall(text):
        codes |= _COMPOSED.get(word, {word} if "_" in word or word in ("created", "exists") else set())
    return codes - _NO_CODES - _COLUMNS


_COLUMNS = {"effective_at", "event_type", "hold_key", "request_id", "refuse_locked"}


def _documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z_]+)` \| .+ \| (.+) \|$", _DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def test_document_lists_the_codes_that_are_answered() -> None:
    answered = _answered()
    assert len(answered) > 45
    assert answered == set(_documented())


def test_document_says_which_codes_burn_the_key() -> None:
    text = (_SQL / "journal_post_list.sql").read_text(encoding="utf-8")
    found = re.search(r"c_burn constant text\[\] := '\{([a-z_,\s]+)\}'", text)
    assert found is not None
    burning = {code.strip() for code in found[1].split(",")}
    assert burning == {code for code, burns in _documented().items() if burns == "yes"}
