"""Prepared statements over a psycopg connection, with what else goes in the same message (decision 0312).

psycopg's own cursor is made for any statement: for these few, asked a thousand times a second, what it works out anew each time
is kept here with the connection. Its adapters, its libpq and its waiting are used as they are.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final

from psycopg import Connection, InternalError, abc, errors
from psycopg.abc import PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute, fetch_many, send
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

_DONE: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})
_MOST_PREPARED: Final = 300
_numbers: Final = count()
"""Of names: no two are alike, whatever another session over the same connection has prepared, or failed to take away."""

Rows = list[tuple[Any, ...]]


class Session:
    """What the server has prepared for one connection, and how parameters are written and columns read there."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self._pgconn = connection.pgconn
        self._transformers: dict[str, abc.Transformer] = {}
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def ask(self, statement: str, parameters: Sequence[object], *, then: str = "") -> Rows:
        """Send a statement and return its rows, none where it returns none.

        BEGIN goes before it where a transaction is to begin with it; `then` is a command that goes after it, and is not carried
        out when it fails. Raises psycopg's errors.
        """
        transformer = self._transformers.get(statement)
        if transformer is None:
            transformer = self._transformers[statement] = Transformer(self.connection)
        values = transformer.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
        types, formats = transformer.types or (), transformer.formats
        name = self._names.get((statement, types)) or self._prepare(statement, types)
        begins = not self.connection.autocommit and self._pgconn.transaction_status == TransactionStatus.IDLE
        if not begins and not then:
            self._pgconn.send_query_prepared(name, values, formats)
            result = self._checked(execute(self._pgconn))[0]
        else:
            self._pgconn.enter_pipeline_mode()
            if begins:
                self._pgconn.send_query_params(b"BEGIN", None)
            self._pgconn.send_query_prepared(name, values, formats)
            if then:
                self._pgconn.send_query_params(then.encode(), None)
            self._pgconn.pipeline_sync()
            result = self._checked(self._answers(1 + begins + bool(then)), together=True)[begins]
        if result.status != ExecStatus.TUPLES_OK:
            return []
        transformer.set_pgresult(result)
        rows: Rows = transformer.load_rows(0, result.ntuples, tuple)
        return rows

    def _prepare(self, statement: str, types: tuple[int, ...]) -> bytes:
        if len(self._names) >= _MOST_PREPARED:
            self._names.clear()
            self._pgconn.send_query(b"DEALLOCATE ALL")
            self._checked(execute(self._pgconn))
        name = b"hf_%d" % next(_numbers)
        self._pgconn.send_prepare(name, numbered(statement), types)
        self._checked(execute(self._pgconn))
        self._names[statement, types] = name
        return name

    def _checked(self, answers: PQGen[list[PGresult]], *, together: bool = False) -> list[PGresult]:
        """Wait for the answers and return them; raise what the first that failed says."""
        try:
            results = self.connection.wait(answers)
            if together:
                self._pgconn.exit_pipeline_mode()
        except BaseException:
            self._pgconn.finish()  # what is still on its way would be taken for the next one's answer
            raise
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise errors.error_from_result(result, encoding=self.connection.info.encoding)
            if result.status not in _DONE:
                raise InternalError(f"an answer is {ExecStatus(result.status).name}")
        return results

    def _answers(self, number: int) -> PQGen[list[PGresult]]:
        """Return one answer for each that was sent together, and take the end of the message."""
        yield from send(self._pgconn)
        found: list[PGresult] = []
        for _ in range(number):
            found.extend((yield from fetch_many(self._pgconn)))
        yield from fetch_many(self._pgconn)
        return found


@lru_cache(maxsize=1000)
def numbered(statement: str) -> bytes:
    """Write a statement with libpq's numbered parameters for `%s`."""
    first, *others = statement.split("%s")
    return (first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))).replace("%%", "%").encode()
