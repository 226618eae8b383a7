"""Changing chart, mappings and templates: one person drafts and proposes, another activates or refuses (rule H1).

Event types that end each other's holds are a family and change together: activating one proposal activates those of its
whole family. Nothing is activated that leaves drift behind.
"""

import json
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db import transaction as db_transaction

from ledger.chart import drift, mappings, stored, transitions
from ledger.chart.active import compiled
from ledger.chart.drift import Drift
from ledger.chart.entries import Chart, from_rows
from ledger.chart.mappings import Mapping
from ledger.chart.stored import Standing
from ledger.controls import approvals, references
from ledger.controls.moves import Why
from ledger.controls.references import Prefix
from ledger.controls.refusals import Malformed, NotFound, Refusal
from ledger.models.chart import ChartVersion, GLMapping, PostingTemplate, Version
from ledger.models.controls import Approval
from ledger.numscript import NumscriptError, pointed_out

KIND: Final = "chart"
_MODELS: Final = (ChartVersion, GLMapping, PostingTemplate)
_LONGEST: Final = 64 * 1024
_LOCK: Final = 744000
"""One change of a book's chart at a time."""


class NotAProposal(Refusal):
    """This version is not proposed: somebody decided meanwhile."""

    code = "not_a_proposal"
    status = 409


class Unchanged(Refusal):
    """This is what stands already."""

    code = "unchanged"


class LeavesDrift(Refusal):
    """Chart, mappings and templates would no longer agree."""

    code = "leaves_drift"


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a draft: `refused` points at the place in the text; `drifts` and `family` say what disagrees.

    `family` are disagreements with event types that end each other's holds: those have to be proposed too.
    """

    refused: str
    drifts: Sequence[Drift]
    family: Sequence[Drift]

    @property
    def stands(self) -> bool:
        return not self.refused and not self.drifts


def check(*, environment: str, event_type: str, source: str, content: AnyMapping[str, Any] | None = None) -> Checked:
    """Check a template (and its mapping, where that changes too) against what stands. Changes nothing."""
    try:
        compiled(_sized(source))
    except NumscriptError as error:
        return Checked(refused=pointed_out(error, source), drifts=(), family=())
    now = stored.standing(environment)
    changed = dict(now.mappings)
    if content is not None:
        changed[event_type] = mapping_of(event_type, content)
    found = drift.find(chart=now.chart, mappings=changed, sources={**now.sources, event_type: source})
    members = _family(changed, event_type)
    family = [one for one in found if one.kind in drift.FAMILY and one.subject in members]
    return Checked(refused="", drifts=[one for one in found if one not in family], family=family)


def propose(
    *,
    environment: str,
    event_type: str,
    source: str,
    content: AnyMapping[str, Any] | None,
    note: str,
    actor: str,
    now: datetime,
) -> list[Version]:
    """Write what changed as new versions and propose them. Raises Unchanged, LeavesDrift or Malformed."""
    if not note.strip():
        raise Malformed("A reason is needed.")
    with db_transaction.atomic():
        _one_at_a_time(environment)
        standing = stored.standing(environment)
        if event_type not in standing.sources or event_type not in standing.mappings:
            raise NotFound(f"There is no event type {event_type}.")
        checked = check(environment=environment, event_type=event_type, source=source, content=content)
        if not checked.stands:
            raise LeavesDrift(checked.refused or "; ".join(str(one) for one in checked.drifts))
        rows: list[Version] = []
        common = {"environment": environment, "event_type": event_type, "note": note[:500], "made_by": actor}
        if content is not None and mapping_of(event_type, content) != standing.mappings[event_type]:
            rows.append(_born(GLMapping(content=dict(content), **common), Prefix.MAPPING))
        if source != standing.sources[event_type]:
            rows.append(_born(PostingTemplate(source=source, **common), Prefix.TEMPLATE))
        if not rows:
            raise Unchanged
        _propose(rows, note=note, actor=actor, now=now)
    return rows


def propose_chart(
    *, environment: str, rows: Sequence[AnyMapping[str, str]], note: str, actor: str, now: datetime
) -> ChartVersion:
    """Propose a whole chart. Raises Unchanged, LeavesDrift or Malformed."""
    if not note.strip():
        raise Malformed("A reason is needed.")
    with db_transaction.atomic():
        _one_at_a_time(environment)
        chart = from_rows(rows)
        if set(chart.entries) == set(stored.chart_of(environment).entries):
            raise Unchanged
        _refuse_drift(chart_faults(environment, chart))
        row = ChartVersion(content=list(rows), environment=environment, note=note[:500], made_by=actor)
        _born(row, Prefix.CHART)
        _propose([row], note=note, actor=actor, now=now)
    return row


def chart_faults(environment: str, chart: Chart) -> list[Drift]:
    """Return what would disagree with a chart: mappings, templates, and accounts that agree with the present one."""
    standing = stored.standing(environment)
    before = set(stored.accounts_off(environment, standing.chart))
    return [
        *drift.find(chart=chart, mappings=standing.mappings, sources=standing.sources),
        *(one for one in stored.accounts_off(environment, chart) if one not in before),
    ]


def activate(*, reference: str, reason: str, actor: str, now: datetime) -> list[Version]:
    """Activate a proposal, with its family's. Raises SelfApproval, NotAProposal, OutdatedProposal or LeavesDrift."""
    with db_transaction.atomic():
        row = named(reference)
        _one_at_a_time(row.environment)
        rows = _together(named(reference))
        for one in rows:
            approval = approvals.lock_open(subject=one.reference)
            if approval is None or one.state != Version.State.PROPOSED:
                raise NotAProposal
            approvals.approve(approval, checker=actor, reason=reason, subject_version=one.version, now=now)
        _refuse_drift(_after(row.environment, rows))
        replaced = [old for one in rows for old in _standing_of(one)]
        transitions.activate(rows, replaced=replaced, why=Why(actor, reason.strip() or "approved"), now=now)
    return rows


def refuse(*, reference: str, reason: str, actor: str, now: datetime) -> Version:
    """Refuse a proposal (or, as its maker, withdraw it): it is a draft again. Raises NotAProposal."""
    with db_transaction.atomic():
        _one_at_a_time(named(reference).environment)
        row = named(reference)
        approval = approvals.lock_open(subject=reference)
        if approval is None or row.state != Version.State.PROPOSED:
            raise NotAProposal
        approvals.refuse(approval, checker=actor, reason=reason, now=now)
        transitions.take_back([row], why=Why(actor, reason.strip() or "refused"), now=now)
    return row


def named(reference: str) -> Version:
    """Return the version of a reference. Raises NotFound."""
    for model in _MODELS:
        row = model._default_manager.filter(reference=reference).first()
        if isinstance(row, Version):
            return row
    raise NotFound("There is no such version.")


def proposal_of(row: Version) -> Approval | None:
    """Return a version's open proposal."""
    return Approval.objects.filter(subject=row.reference, decision=Approval.Decision.PROPOSED).first()


def together(row: Version) -> list[Version]:
    """Return what is activated with a proposal: the proposals of its event type's family."""
    return _together(row)


def mapping_of(event_type: str, content: AnyMapping[str, Any]) -> Mapping:
    """Read a mapping that a person wrote. Raises Malformed."""
    try:
        mapping = mappings.from_content(event_type, content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Malformed(f"The mapping is not one: {type(error).__name__} {error}.") from error
    lists: list[Sequence[object]] = [codes for line in mapping.lines.values() for codes in (line.debit, line.credit)]
    lists += [role.codes for role in mapping.accounts.values()]
    words: list[object] = [
        mapping.about,
        mapping.debit,
        mapping.credit,
        mapping.main,
        *(line.about for line in mapping.lines.values()),
    ]
    optional: list[object] = [mapping.ends, *(role.otherwise for role in mapping.accounts.values())]
    optional += [name for line in mapping.lines.values() for name in line.needs]
    if (
        not mapping.lines
        or not all(codes and all(isinstance(code, str) and code != "" for code in codes) for codes in lists)
        or not all(isinstance(word, str) for word in words)
        or not all(word is None or isinstance(word, str) for word in optional)
        or not all(isinstance(line.required, bool) for line in mapping.lines.values())
    ):
        raise Malformed("The mapping is not one: codes and names are texts, and every list of codes has one.")
    return mapping


def content_of(text: str) -> dict[str, Any]:
    """Read a mapping that a person wrote as JSON. Raises Malformed naming the place."""
    try:
        found = json.loads(_sized(text))
    except ValueError as error:
        raise Malformed(f"The mapping is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise Malformed("The mapping has to be a JSON object.")
    return found


def _sized(text: str) -> str:
    if len(text) > _LONGEST:
        raise Malformed(f"The text is longer than {_LONGEST} characters.")
    return text


def _one_at_a_time(environment: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, environment])


def _born(row: Version, prefix: Prefix) -> Version:
    """Give a new version its reference and the number after its siblings' highest."""
    row.reference = references.new(prefix)
    row.number = (row.siblings().order_by("-number").values_list("number", flat=True).first() or 0) + 1
    return row


def _propose(rows: Sequence[Version], *, note: str, actor: str, now: datetime) -> None:
    transitions.draft(rows, why=Why(actor, "drafted"), now=now)
    transitions.propose(rows, why=Why(actor, note[:200]), now=now)
    for row in rows:
        approvals.propose(
            environment=row.environment,
            kind=KIND,
            subject=row.reference,
            subject_version=row.version,
            content={"machine": row.MACHINE, "number": row.number, "event_type": getattr(row, "event_type", "")},
            reason=note,
            maker=actor,
            now=now,
        )


def _together(row: Version) -> list[Version]:
    """Return the proposal and its family's: of each event type and kind the newest, of its own kind itself."""
    if isinstance(row, ChartVersion):
        return [row]
    own = str(getattr(row, "event_type", ""))
    members = _family(_mappings_with_proposals(row.environment), own)
    mapped = GLMapping.objects.filter(environment=row.environment, state=Version.State.PROPOSED, event_type__in=members)
    made = PostingTemplate.objects.filter(
        environment=row.environment, state=Version.State.PROPOSED, event_type__in=members
    )
    chosen: dict[tuple[str, str], Version] = {}
    for one in [*mapped.order_by("number"), *made.order_by("number"), row]:
        chosen[one.MACHINE, str(getattr(one, "event_type", ""))] = one
    return list(chosen.values())


def _mappings_with_proposals(environment: str) -> dict[str, Mapping]:
    rows = GLMapping.objects.filter(environment=environment, state__in=[Version.State.PROPOSED, Version.State.ACTIVE])
    return {row.event_type: mappings.from_content(row.event_type, row.content) for row in rows.order_by("state")}


def _family(known: AnyMapping[str, Mapping], event_type: str) -> set[str]:
    """Return the event types that end each other's holds: a reserve type with its settle and release types."""
    mapping = known.get(event_type)
    head = event_type if mapping is None or mapping.ends is None else mapping.ends
    return {event_type, head, *(name for name, one in known.items() if one.ends == head)}


def _after(environment: str, rows: Sequence[Version]) -> list[Drift]:
    """Return the drift that there would be once these stand."""
    now = stored.standing(environment)
    chart = next((from_rows(row.content) for row in rows if isinstance(row, ChartVersion)), None)
    if chart is not None:
        return chart_faults(environment, chart)
    after = Standing(
        chart=now.chart,
        mappings={
            **now.mappings,
            **{r.event_type: mappings.from_content(r.event_type, r.content) for r in rows if isinstance(r, GLMapping)},
        },
        sources={**now.sources, **{r.event_type: r.source for r in rows if isinstance(r, PostingTemplate)}},
    )
    return drift.find(chart=after.chart, mappings=after.mappings, sources=after.sources)


def _standing_of(row: Version) -> list[Version]:
    return list(row.siblings().filter(state=Version.State.ACTIVE))


def _refuse_drift(found: Sequence[Drift]) -> None:
    if found:
        raise LeavesDrift("; ".join(str(one) for one in found[:5]))
