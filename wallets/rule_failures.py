"""What a rule's condition could not answer, counted: the payment is refused and rolled back, and people must hear of it.

Written on a connection of its own, since nothing of the refused payment's transaction stays. Nobody waits for it long, and
a failure to write it down changes nothing of the refusal.
"""

from collections.abc import Iterator, Mapping
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
SELECT %(environment)s, %(rule)s, %(code)s, %(number)s, %(reason)s, 1, t.now, t.now
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS t
ON CONFLICT (rule) DO UPDATE SET failures = f.failures + 1, last_at = excluded.last_at, reason = excluded.reason
"""
_PATIENCE: Final = "-c statement_timeout=2000 -c lock_timeout=1000"


def register() -> None:
    metrics.register(
        "holdfast_fee_rule_failures", "Payments refused because a rule's condition failed.", "counter", _counted
    )


def record(rule: Rule, *, reason: str) -> None:
    """Count a failure of a rule's version and log it as an error."""
    log.error("fee_rule.failed", rule=rule.code, version=rule.number, reason=reason)
    values = {
        "environment": rule.environment,
        "rule": rule.reference,
        "code": rule.code,
        "number": rule.number,
        "reason": reason[:100],
        "now": clock.parameter(),
    }
    try:
        with psycopg.connect(_address(), autocommit=True) as own:
            own.execute(_COUNT, values)
    except psycopg.Error as error:
        log.error("fee_rule.failure_not_counted", rule=rule.code, error=type(error).__name__)


def _address() -> str:
    """Return where Django's connection goes, without what only Django knows, and with patience of its own."""
    known = ("host", "port", "dbname", "user", "password", "sslmode")
    given = {name: value for name, value in connection.get_connection_params().items() if name in known}
    return make_conninfo("", **{**given, "connect_timeout": 2, "options": _PATIENCE})


def _counted() -> Iterator[tuple[Mapping[str, str], int]]:
    for row in RuleFailure.objects.order_by("rule")[:200]:
        yield {"environment": row.environment, "rule": row.code, "version": str(row.number)}, row.failures
