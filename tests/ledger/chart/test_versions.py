"""A changed template is a new version that a second person activates; the rows are guarded against raw SQL too."""

import io
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from ledger.chart import bundled, stored, versions
from ledger.chart.versions import LeavesDrift, NotAProposal, Unchanged
from ledger.controls import clock
from ledger.controls.approvals import SelfApproval
from ledger.controls.refusals import Malformed, NotFound
from ledger.models import Approval, ChartVersion, GLMapping, Move, PostingTemplate
from ledger.models.chart import Version
from tests.ledger.chart.finance import (
    ENVIRONMENT,
    FINANCE,
    LEAD,
    activated,
    baseline,
    codes,
    collection,
    open_accounts,
    proposed,
)

pytestmark = pytest.mark.usefixtures("database")

SPLIT = baseline("PAYIN_COLLECTION").replace(
    "destination = $revenue", "destination = { 1/2 to $revenue remaining to $revenue }"
)


def _states(event_type: str = "PAYIN_COLLECTION") -> list[tuple[int, str]]:
    rows = PostingTemplate.objects.filter(environment=ENVIRONMENT, event_type=event_type).order_by("number")
    return list(rows.values_list("number", "state"))


def _activate(row: Version, *, actor: str = LEAD) -> list[Version]:
    return versions.activate(reference=row.reference, reason="agreed", actor=actor, now=clock.now())


def test_a_version_walks_from_draft_to_retired_by_two_people() -> None:
    row = proposed("PAYIN_COLLECTION", SPLIT)
    assert _states() == [(1, "active"), (2, "proposed")]
    _activate(row)
    assert _states() == [(1, "retired"), (2, "active")]
    second = PostingTemplate.objects.get(reference=row.reference)
    assert (second.made_by, second.activated_by, second.activated_at is not None) == (FINANCE, LEAD, True)
    approval = Approval.objects.get(subject=row.reference)
    assert (approval.maker, approval.checker, approval.decision) == (FINANCE, LEAD, "approved")
    moves = Move.objects.filter(subject=row.reference).order_by("sequence").values_list("to_state", "actor")
    assert list(moves) == [("draft", FINANCE), ("proposed", FINANCE), ("active", LEAD)]
    activated("PAYIN_COLLECTION", baseline("PAYIN_COLLECTION"))
    assert _states() == [(1, "retired"), (2, "retired"), (3, "active")]


def test_nobody_activates_their_own_proposal() -> None:
    row = proposed("PAYIN_COLLECTION", SPLIT)
    with pytest.raises(SelfApproval):
        _activate(row, actor=FINANCE)
    assert _states() == [(1, "active"), (2, "proposed")]


def test_a_refused_proposal_is_a_draft_and_changes_nothing() -> None:
    row = proposed("PAYIN_COLLECTION", SPLIT)
    versions.refuse(reference=row.reference, reason="no", actor=LEAD, now=clock.now())
    assert _states() == [(1, "active"), (2, "draft")]
    with pytest.raises(NotAProposal):
        _activate(row)
    assert Approval.objects.get(subject=row.reference).decision == "refused"


@pytest.mark.parametrize(
    "source, refusal, told",
    [
        (baseline("PAYIN_COLLECTION"), Unchanged, "stands already"),
        (baseline("PAYIN_COLLECTION").replace("send $net", "sned $net"), LeavesDrift, "\\^"),
        (
            baseline("PAYIN_COLLECTION").replace("$revenue\n)", "$vat_account\n)"),
            LeavesDrift,
            "fee credits vat at GL code 2500, the mapping says 4010",
        ),
        ("x" * 70_000, Malformed, "longer than"),
    ],
)
def test_what_leaves_drift_is_not_proposed(source: str, refusal: type[Exception], told: str) -> None:
    with pytest.raises(refusal, match=told):
        proposed("PAYIN_COLLECTION", source)
    assert _states() == [(1, "active")]
    assert not Approval.objects.exists()


def test_an_event_type_that_there_is_not_cannot_be_changed() -> None:
    with pytest.raises(NotFound):
        proposed("PAYIN_COLECTION", SPLIT)


def test_a_reserve_is_activated_with_its_settle_and_release_and_not_alone() -> None:
    old = "send $network_fee (\n  source = $wallet\n  destination = $bank\n)\n"
    new = "send $network_fee (\n  source = $wallet\n  destination = $revenue\n)\n"
    contents: dict[str, Any] = deepcopy(dict(bundled.contents()))
    rows = []
    for name in ("PAYOUT_RESERVE", "PAYOUT_SETTLE"):
        contents[name]["lines"]["network_fee"]["credit"] = ["4020"]
        rows.append(
            versions.propose(
                environment=ENVIRONMENT,
                event_type=name,
                source=baseline(name).replace(old, new),
                content=contents[name],
                note="we keep the network fee",
                actor=FINANCE,
                now=clock.now(),
            )
        )
    assert [type(row).__name__ for row in rows[0]] == ["GLMapping", "PostingTemplate"]
    with pytest.raises(LeavesDrift, match="release is not its reserve turned round"):
        _activate(rows[0][1])
    assert _states("PAYOUT_RESERVE") == [(1, "active"), (2, "proposed")]
    contents["PAYOUT_RELEASE"]["lines"]["network_fee"]["debit"] = ["4020"]
    versions.propose(
        environment=ENVIRONMENT,
        event_type="PAYOUT_RELEASE",
        source=baseline("PAYOUT_RELEASE").replace(
            "send $network_fee (\n  source = $bank", "send $network_fee (\n  source = $revenue"
        ),
        content=contents["PAYOUT_RELEASE"],
        note="we keep the network fee",
        actor=FINANCE,
        now=clock.now(),
    )
    assert len(_activate(rows[0][1])) == 6
    for name in ("PAYOUT_RESERVE", "PAYOUT_SETTLE", "PAYOUT_RELEASE"):
        assert _states(name) == [(1, "retired"), (2, "active")]
    assert stored.find(ENVIRONMENT) == []


def test_a_mapping_that_is_none_is_refused() -> None:
    with pytest.raises(Malformed, match="not JSON"):
        versions.content_of("{")
    with pytest.raises(Malformed, match="not one"):
        versions.propose(
            environment=ENVIRONMENT,
            event_type="POOL_FUNDING",
            source=baseline("POOL_FUNDING"),
            content={"phase": "later"},
            note="x",
            actor=FINANCE,
            now=clock.now(),
        )
    assert GLMapping.objects.filter(environment=ENVIRONMENT).count() == 28


# --- by raw SQL


def test_what_a_version_says_is_fixed_once_it_has_left_draft(application_connection: psycopg.Connection[Any]) -> None:
    for statement in (
        "UPDATE ledger_postingtemplate SET source = 'send [EUR 1] (source = @a destination = @b)' WHERE state = 'active'",
        "UPDATE ledger_glmapping SET content = '{}' WHERE state = 'active'",
        "UPDATE ledger_chartversion SET content = '[]' WHERE state = 'active'",
        "UPDATE ledger_postingtemplate SET event_type = 'OTHER', environment = 'live', number = 90",
        "UPDATE ledger_postingtemplate SET made_by = 'user:lee'",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="stays as it is"):
            application_connection.execute(statement)


def test_two_versions_of_one_event_type_are_never_active(owner_connection: psycopg.Connection[Any]) -> None:
    proposed("PAYIN_COLLECTION", SPLIT)
    with pytest.raises(psycopg.errors.UniqueViolation, match="template_one_active"):
        owner_connection.execute("UPDATE ledger_postingtemplate SET state = 'active' WHERE state = 'proposed'")


def test_a_move_by_raw_sql_is_seen_by_the_write_door(application_connection: psycopg.Connection[Any]) -> None:
    open_accounts()
    assert codes(collection("one", 100)) == ["created"]
    application_connection.execute(
        "UPDATE ledger_postingtemplate SET state = 'retired' WHERE event_type = 'PAYIN_COLLECTION'"
    )
    with pytest.raises(Exception, match="no event type PAYIN_COLLECTION"):
        codes(collection("two", 100))


@pytest.mark.parametrize("table", ["ledger_chartversion", "ledger_glmapping", "ledger_postingtemplate"])
def test_raw_sql_of_the_application_activates_nothing_without_two_people(
    application_connection: psycopg.Connection[Any], table: str
) -> None:
    activate = f"UPDATE {table} SET state = 'active', version = version + 1 WHERE reference = 'ver_1'".encode()
    event_type = "" if table == "ledger_chartversion" else ", event_type"
    content = "source" if table == "ledger_postingtemplate" else "content"
    one = application_connection
    one.execute(
        f"INSERT INTO {table} (reference, environment, state, version, number, note, made_by, activated_by, created_at,"
        f" updated_at, {content}{event_type}) SELECT 'ver_1', environment, 'draft', 1, 99, '', 'baseline', '', created_at,"
        f" updated_at, {content}{event_type} FROM {table} WHERE environment = 'test' ORDER BY id LIMIT 1".encode()
    )
    one.execute(f"UPDATE {table} SET state = 'proposed', version = 2 WHERE reference = 'ver_1'".encode())
    one.execute(
        f"UPDATE {table} o SET state = 'retired' FROM {table} n WHERE n.reference = 'ver_1' AND o.state = 'active'"
        f" AND o.environment = 'test'{event_type and ' AND o.event_type = n.event_type'}".encode()
    )
    approval = (
        "INSERT INTO ledger_approval (reference, environment, kind, subject, subject_version, content, reason, maker,"
        " proposed_at, decision, decision_reason) VALUES (%s, 'test', %s, 'ver_1', %s, '{}', 'why', 'user:a', now(),"
        " 'proposed', '')"
    )
    for reference, kind, version in (("apr_1", "chart", 1), ("apr_2", "period_unlock", 2), ("apr_3", "chart", 2)):
        with pytest.raises(psycopg.errors.RestrictViolation, match="no two people agreed"):
            one.execute(activate)
        one.execute(approval, [reference, kind, version])
        with pytest.raises(psycopg.errors.RestrictViolation, match="no two people agreed"):
            one.execute(activate)
        one.execute(
            "UPDATE ledger_approval SET decision = 'approved', checker = 'user:b', decided_at = now() WHERE reference = %s",
            [reference],
        )
    assert one.execute(activate).rowcount == 1


# --- the baseline


def _as_owner(owner: psycopg.Connection[Any], work: Callable[[], object]) -> None:
    from django.db import connection

    connection.close()
    saved = dict(connection.settings_dict)
    connection.settings_dict.update(USER=owner.info.user, PASSWORD=owner.info.password)
    try:
        work()
    finally:
        connection.close()
        connection.settings_dict.update(saved)


def _restore(owner: psycopg.Connection[Any]) -> list[str]:
    out = io.StringIO()
    _as_owner(owner, lambda: call_command("chart", "restore", environment=ENVIRONMENT, stdout=out))
    return out.getvalue().splitlines()


def test_restore_again_changes_nothing(owner_connection: psycopg.Connection[Any]) -> None:
    before = list(PostingTemplate.objects.order_by("pk").values())
    assert _restore(owner_connection) == ["test: nothing was missing"]
    assert list(PostingTemplate.objects.order_by("pk").values()) == before


def test_restore_loads_what_is_missing(
    superuser_connection: psycopg.Connection[Any], owner_connection: psycopg.Connection[Any]
) -> None:
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("DELETE FROM ledger_postingtemplate WHERE event_type = 'RETURN_KEPT'")
    superuser_connection.execute("DELETE FROM ledger_chartversion")
    assert _restore(owner_connection) == ["test: chart version loaded", "test: posting template RETURN_KEPT loaded"]
    assert stored.find(ENVIRONMENT) == []
    assert ChartVersion.objects.get(environment=ENVIRONMENT).made_by == "baseline"


def test_restore_leaves_what_people_changed_and_replaces_an_older_baseline(
    superuser_connection: psycopg.Connection[Any], owner_connection: psycopg.Connection[Any]
) -> None:
    activated("PAYIN_COLLECTION", SPLIT)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(
        "UPDATE ledger_postingtemplate SET source = source || '// older' WHERE event_type = 'RETURN_KEPT'"
    )
    assert _restore(owner_connection) == [
        "test: posting template RETURN_KEPT loaded",
        "test: posting template PAYIN_COLLECTION was changed by people and stays as they left it",
    ]
    assert _states() == [(1, "retired"), (2, "active")]
    assert _states("RETURN_KEPT") == [(1, "retired"), (2, "active")]


@pytest.mark.parametrize(
    "change",
    [
        {"lines": {}},
        {"lines": []},
        {"lines": {"amount": {"debit": [], "credit": ["3100"], "about": "x"}}},
        {"lines": {"amount": {"debit": [1000], "credit": ["3100"], "about": "x"}}},
        {"lines": {"amount": {"debit": ["3900"], "credit": ["3100"], "about": None}}},
        {"lines": {"amount": {"debit": ["3900"], "credit": ["3100"], "about": "x", "required": "yes"}}},
        {"lines": {"amount": {"debit": ["3900"], "credit": ["3100"], "about": "x", "needs": [[]]}}},
        {"accounts": {"world": {"codes": []}}},
        {"accounts": {"world": {"codes": ["3900"], "else": 7}}},
        {"accounts": "world"},
        {"phase": "later"},
        {"ends": 5},
        {"main": None},
    ],
)
def test_a_mapping_of_another_shape_is_refused_whatever_it_is(change: dict[str, Any]) -> None:
    content = {**deepcopy(bundled.contents()["POOL_FUNDING"]), **change}
    with pytest.raises(Malformed, match="not one"):
        versions.check(
            environment=ENVIRONMENT, event_type="POOL_FUNDING", source=baseline("POOL_FUNDING"), content=content
        )


@pytest.mark.parametrize(
    "added, told",
    [
        ('set_account_meta($wallet, "a", "b")', "neither metadata of accounts nor colors"),
        ('set_tx_meta("net", $net)', None),
        ("send [EUR *] (source = $wallet destination = $bank)", "net debits wallet at GL code 2004"),
    ],
)
def test_what_the_book_cannot_keep_is_told(added: str, told: str | None) -> None:
    found = versions.check(
        environment=ENVIRONMENT, event_type="PAYIN_COLLECTION", source=baseline("PAYIN_COLLECTION") + "\n" + added
    )
    assert not found.refused
    assert (told is None) == found.stands, found
    assert told is None or any(told in one.detail for one in found.drifts), found


def test_metadata_that_a_template_sets_are_the_transactions() -> None:
    from ledger.models import Transaction

    open_accounts()
    activated("PAYIN_COLLECTION", baseline("PAYIN_COLLECTION") + '\nset_tx_meta("net", $net)\n')
    assert codes(collection("one", 100)) == ["created"]
    assert Transaction.objects.get(key="one").metadata == {"net": "EUR 100"}
