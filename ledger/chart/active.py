"""The active templates of an environment, kept per process, and known to be current without a query of their own.

`ledger_template_stamp` has one row that changes with every move of a template or mapping. The write door names the stamp
that its templates were read with in the one statement it makes anyway, and posts nothing when another stands there.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from django.db import connection

from ledger.chart import mappings
from ledger.chart.template import Template
from ledger.controls.refusals import Refusal
from ledger.numscript import Program, parse

_READ: Final = """
SELECT s.stamp, t.event_type, t.id, t.number, t.source, m.content
FROM ledger_template_stamp s
LEFT JOIN (ledger_postingtemplate t
           JOIN ledger_glmapping m ON m.environment = t.environment AND m.event_type = t.event_type AND m.state = 'active')
  ON t.environment = %s AND t.state = 'active'
"""


class UnknownEventType(Refusal):
    """No flow posts except through an event type that has a mapping and a template."""

    code = "unknown_event_type"


class _Row(NamedTuple):
    version: int
    number: int
    source: str
    content: str


@dataclass(frozen=True, slots=True)
class Active:
    """The templates that stood when `stamp` stood; each is compiled when it is first asked for."""

    stamp: int
    rows: dict[str, _Row]
    templates: dict[str, Template] = field(default_factory=dict)

    def template(self, event_type: str) -> Template:
        """Return the active template of an event type. Raises UnknownEventType."""
        found = self.templates.get(event_type)
        if found is None:
            found = self.templates[event_type] = self._compiled(event_type)
        return found

    def _compiled(self, event_type: str) -> Template:
        row = self.rows.get(event_type)
        if row is None:
            raise UnknownEventType(f"There is no event type {event_type}.", event_type=event_type)
        return Template(
            version=row.version,
            number=row.number,
            mapping=mappings.from_content(event_type, json.loads(row.content)),
            program=compiled(row.source),
        )


_kept: dict[str, Active] = {}


def active(environment: str) -> Active:
    """Return the templates as this process last read them; the write door says whether they still stand."""
    found = _kept.get(environment)
    return found if found is not None else read(environment)


def read(environment: str) -> Active:
    """Read the active templates anew, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [environment])
        rows = cursor.fetchall()
    found = Active(stamp=rows[0][0], rows={row[1]: _Row(*row[2:]) for row in rows if row[1] is not None})
    _kept[environment] = found
    return found


@lru_cache(maxsize=512)
def compiled(source: str) -> Program:
    """Parse a template, once per process. Raises NumscriptError."""
    return parse(source)
