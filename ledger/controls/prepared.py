"""Statements of the hot path: sent as they are, in Django's transaction, parsed and planned by the server once a connection."""

import threading
from collections.abc import Sequence
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ledger.controls.round_trips import Rows, Session

COMMIT: Final = "COMMIT"


class _Kept(threading.local):
    """The session of this thread's connection."""

    session: Session | None = None


_kept = _Kept()


def rows(statement: str, parameters: Sequence[object], *, then: str = "") -> Rows:
    """Return the rows of a statement that is asked often; its text never varies. None where it returns none.

    `then` is a command that goes with it in one message, and is carried out after it unless it fails. Who watches Django's
    statements (a test, the simulation) sees these too: then they take Django's way.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if not database.execute_wrappers:
        return _unwatched(database, statement, parameters, then)
    with database.cursor() as watched:
        watched.execute(statement, list[Any](parameters))
        found = watched.fetchall() if watched.description else []
        if then:
            watched.execute(then)
        return found


def unwatched_rows(statement: str, parameters: Sequence[object]) -> Rows:
    """Return the rows of a statement that nobody watches."""
    return _unwatched(connections[DEFAULT_DB_ALIAS], statement, parameters, "")


def last_rows(statement: str, parameters: Sequence[object]) -> Rows:
    """Return the rows of the last statement of a transaction. Where it is one of its own, COMMIT goes with it.

    Django's block, at its end, finds it committed and does the rest. Who watches commits sees Django's.
    """
    database = connections[DEFAULT_DB_ALIAS]
    outermost = database.in_atomic_block and database.commit_on_exit and not database.savepoint_ids
    commits = outermost and not database.execute_wrappers and not database.needs_rollback
    return rows(statement, parameters, then=COMMIT if commits else "")


def first_rows(statement: str, parameters: Sequence[object]) -> Rows:
    """Return the rows of a request's first statement, one that changes nothing: its answer shows that the connection is usable.

    Django would ask `SELECT 1` before it. Over a connection that has died it is asked again, over a new one.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.connection is None or database.in_atomic_block or database.health_check_done:  # type: ignore[attr-defined]  # Django's, not in its stubs
        return rows(statement, parameters)
    database.health_check_done = True  # type: ignore[attr-defined]
    try:
        return rows(statement, parameters)
    except (InterfaceError, OperationalError):
        if database.is_usable():
            raise
        database.close()
        return rows(statement, parameters)


def forget() -> None:
    """Prepare anew over this thread's connection, whose server has been told to discard all."""
    _kept.session = None


def _unwatched(database: BaseDatabaseWrapper, statement: str, parameters: Sequence[object], then: str) -> Rows:
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session = _kept.session
    if session is None or session.connection is not database.connection:
        session = _kept.session = Session(database.connection)
    with database.wrap_database_errors:
        return session.ask(statement, parameters, then=then)
