"""What a rule's condition could not answer, counted: the payment is refused and rolled back, and people must hear of it.

Written on a connection of its own, since nothing of the refused payment's transaction stays; for a list of payments once, at
its end (`gathered`). Nobody waits for it long, and a failure to write it down changes nothing of the refusal.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog
from django.db import connection
from psycopg.conninfo import make_conninfo

from ledger.controls import clock, metrics
from wallets.rule_models import Rule, RuleFailure

log = structlog.get_logger(__name__)

_COUNT: Final = """
INSERT INTO wallets_rulefailure AS f (environment, rule, code, number, reason, failures, first_at, last_at)
SELECT %(environment)s, %(rule)s, %(code)s, %(number)s, %(reason)s, %(failures)s, t.now, t.now
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS t
ON CONFLICT (rule) DO UPDATE
SET failures = f.failures + excluded.failures, last_at = excluded.last_at, reason = excluded.reason
"""
_PATIENCE: Final = "-c statement_timeout=2000 -c lock_timeout=1000"


@dataclass(slots=True)
class _Failing:
    """A version, the reason of its last failure, and how often it has failed since it was last written down."""

    rule: Rule
    reason: str
    failures: int


_gathering: ContextVar[dict[str, _Failing] | None] = ContextVar("failing_rules", default=None)


def register() -> None:
    metrics.register(
        "holdfast_fee_rule_failures", "Payments refused because a rule's condition failed.", "counter", _counted
    )


def record(rule: Rule, *, reason: str) -> None:
    """Count a failure of a rule's version and log it as an error: at once, or at the end of the list that is being priced."""
    gathering = _gathering.get()
    if gathering is None:
        _write([_Failing(rule, reason, 1)])
        return
    failing = gathering.setdefault(rule.reference, _Failing(rule, reason, 0))
    failing.reason, failing.failures = reason, failing.failures + 1


@contextmanager
def gathered() -> Iterator[None]:
    """Write what fails in a `with` block down at its end, however it ends, through one connection."""
    gathering: dict[str, _Failing] = {}
    token = _gathering.set(gathering)
    try:
        yield
    finally:
        _gathering.reset(token)
        if gathering:
            _write([failing for _, failing in sorted(gathering.items())])


def _write(found: list[_Failing]) -> None:
    for failing in found:
        log.error(
            "fee_rule.failed",
            rule=failing.rule.code,
            version=failing.rule.number,
            reason=failing.reason,
            failures=failing.failures,
        )
    try:
        with psycopg.connect(_address(), autocommit=True) as own:
            for failing in found:
                own.execute(_COUNT, _values(failing))
    except psycopg.Error as error:
        codes = [failing.rule.code for failing in found]
        log.error("fee_rule.failure_not_counted", rules=codes, error=type(error).__name__)


def _values(failing: _Failing) -> dict[str, object]:
    return {
        "environment": failing.rule.environment,
        "rule": failing.rule.reference,
        "code": failing.rule.code,
        "number": failing.rule.number,
        "reason": failing.reason[:100],
        "failures": failing.failures,
        "now": clock.parameter(),
    }


def _address() -> str:
    """Return where Django's connection goes, without what only Django knows, and with patience of its own."""
    known = ("host", "port", "dbname", "user", "password", "sslmode")
    given = {name: value for name, value in connection.get_connection_params().items() if name in known}
    return make_conninfo("", **{**given, "connect_timeout": 2, "options": _PATIENCE})


def _counted() -> Iterator[tuple[Mapping[str, str], int]]:
    for row in RuleFailure.objects.order_by("rule")[:200]:
        yield {"environment": row.environment, "rule": row.code, "version": str(row.number)}, row.failures
