"""Rule S1: for every machine and every pair of states, by raw SQL: legal moves pass, all others raise."""

from typing import Any

import psycopg
import pytest
from django.apps import apps
from django_fsm import FSMField
from psycopg import sql

from ledger import reference_rows
from ledger.controls import machines
from ledger.controls.states import Stateful
from ledger.models import LegalMove
from tests.ledger.rows import insert

pytestmark = pytest.mark.usefixtures("database")

MACHINES = [
    "chart_version",
    "close",
    "delivery",
    "exception_case",
    "fee_rule",
    "gl_mapping",
    "inbound_event",
    "intent",
    "limit_rule",
    "market",
    "order",
    "pay_in",
    "payout",
    "posting_template",
    "quote",
    "remote_operation",
    "return",
    "review_case",
    "statement_file",
    "statement_match",
    "trade",
]


def test_every_model_with_a_guarded_state_is_a_registered_machine() -> None:
    stateful = {
        model
        for model in apps.get_models()
        if issubclass(model, Stateful) or any(isinstance(field, FSMField) for field in model._meta.get_fields())
    }
    assert {machine.model for machine in machines.every()} == stateful
    assert sorted(machine.name for machine in machines.every()) == MACHINES
    assert all(issubclass(model, Stateful) and model.MACHINE for model in stateful)


def test_legal_moves_are_the_edges_of_the_machines() -> None:
    stored = set(LegalMove.objects.values_list("machine", "from_state", "to_state"))
    assert stored == {(machine.name, *edge) for machine in machines.every() for edge in machine.edges()}


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_is_known_and_reached(name: str) -> None:
    machine = machines.named(name)
    assert machine.name == machine.model.MACHINE  # type: ignore[attr-defined]  # a Stateful model
    states, edges = set(machine.states()), machine.edges()
    assert edges[0] == ("", machine.first)
    assert {state for edge in edges[1:] for state in edge} <= states
    reached, before = {machine.first}, set[str]()
    while reached != before:
        before = set(reached)
        reached |= {target for source, target in edges if source in reached}
    assert reached == states


@pytest.mark.parametrize("name", MACHINES)
def test_raw_update_passes_only_along_an_edge(
    superuser_connection: psycopg.Connection[Any], application_connection: psycopg.Connection[Any], name: str
) -> None:
    machine = machines.named(name)
    table = machine.model._meta.db_table
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))  # the baseline's rows
    update = sql.SQL("UPDATE {} SET state = %s WHERE id = %s").format(sql.Identifier(table))
    if len(machine.edges()) == 1:  # born in its last state: there is no right to change it at all
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application_connection.execute(update, [machine.first, 1])
        return
    passed = set()
    for source in machine.states():
        row = insert(superuser_connection, table, state=source, environment="test")
        for target in [*machine.states(), "", "anything"]:
            try:
                with application_connection.transaction(force_rollback=True):
                    application_connection.execute(update, [target, row])
                passed.add((source, target))
            except psycopg.errors.CheckViolation as error:
                assert f'illegal move of {name}: "{source}" to "{target}"' in str(error)  # noqa: PT017
            except psycopg.errors.RestrictViolation as error:  # an edge, for two people
                assert "no two people agreed" in str(error)  # noqa: PT017
                passed.add((source, target))
    assert passed == set(machine.edges()[1:]) | {(state, state) for state in machine.states()}


@pytest.mark.parametrize("name", MACHINES)
def test_raw_insert_passes_only_in_the_first_state(application_connection: psycopg.Connection[Any], name: str) -> None:
    machine = machines.named(name)
    passed = set()
    for state in [*machine.states(), "", "anything"]:
        try:
            with application_connection.transaction(force_rollback=True):
                insert(application_connection, machine.model._meta.db_table, state=state, environment="test")
            passed.add(state)
        except psycopg.errors.CheckViolation as error:
            assert f'illegal move of {name}: "" to "{state}"' in str(error)  # noqa: PT017
    assert passed == {machine.first}


@pytest.mark.parametrize("name", MACHINES)
def test_rows_of_a_machine_are_not_deleted(application_connection: psycopg.Connection[Any], name: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute(
            sql.SQL("DELETE FROM {}").format(sql.Identifier(machines.named(name).model._meta.db_table))
        )


def test_reference_rows_mend_the_edges_when_they_have_drifted(
    superuser_connection: psycopg.Connection[Any], owner_connection: psycopg.Connection[Any]
) -> None:
    from django.db import connection

    superuser_connection.execute("DELETE FROM legal_move WHERE machine = 'order' AND to_state = 'processed'")
    superuser_connection.execute(
        "INSERT INTO legal_move (machine, from_state, to_state) VALUES ('order', 'processed', 'queued')"
    )
    with connection.cursor() as cursor, pytest.raises(Exception, match="permission denied"):
        cursor.execute("DELETE FROM legal_move")
    _as_owner(owner_connection)
    test_legal_moves_are_the_edges_of_the_machines()


def _as_owner(owner: psycopg.Connection[Any]) -> None:
    """Load the reference rows through Django as the owner of the tables."""
    from django.db import connection

    connection.close()
    saved = dict(connection.settings_dict)
    connection.settings_dict.update(USER=owner.info.user, PASSWORD=owner.info.password)
    try:
        reference_rows.load()
    finally:
        connection.close()
        connection.settings_dict.update(saved)
