"""How closes and exceptions are told over REST."""

from datetime import datetime
from typing import Any

from ledger import assets
from ledger.controls.rest.answers import instant, instant_or_none
from reconciliation import aging
from reconciliation.check_registry import check_named
from reconciliation.checklist import Point, checklist_of
from reconciliation.models import CloseArtifact, CloseRun, CloseSignature, ExceptionCase
from reconciliation.windows import signable_from


def close(row: CloseRun) -> dict[str, Any]:
    return {
        "close_id": row.reference,
        "business_date": row.business_date.isoformat(),
        "environment": row.environment,
        "status": row.state,
        "provisional": row.provisional,
        "window_from": instant(row.window_from),
        "window_to": instant(row.window_to),
        "signable_from": instant(signable_from(row.window_to)),
        "runs": row.runs,
        "last_run_at": instant_or_none(row.last_run_at),
        "step": row.step,
        "steps_done": row.steps_done,
        "steps_planned": row.steps_planned,
        "ledger_block": row.ledger_block,
        "ledger_root": row.ledger_root,
    }


def close_in_full(row: CloseRun) -> dict[str, Any]:
    signatures = CloseSignature.objects.filter(close_reference=row.reference).order_by("id")
    files = CloseArtifact.objects.filter(close_reference=row.reference).order_by("name")
    return {
        **close(row),
        "records": row.counts.get("records", {}),
        "breaks": row.counts.get("breaks", {}),
        "cut_off": row.counts.get("cut_off", []),
        "zero_sum": row.control_totals.get("zero_sum", {}),
        "checklist": [_point(point) for point in checklist_of(row).points],
        "signatures": [
            {
                "role": one.role,
                "person": one.person.removeprefix("user:"),
                "comment": one.comment,
                "run": one.run,
                "signed_at": instant(one.signed_at),
            }
            for one in signatures
        ],
        "artifacts": [
            {"name": file.name, "rows": file.rows, "bytes": file.size, "sha256": file.sha256} for file in files
        ],
    }


def exception(row: ExceptionCase, *, now: datetime) -> dict[str, Any]:
    check = check_named(row.type)
    return {
        "exception_id": row.reference,
        "type": row.type,
        "title": check.title if check is not None else row.type,
        "meaning": check.meaning if check is not None else "",
        "status": row.state,
        "subject": row.subject,
        "order_id": row.order_reference or None,
        "business_date": row.business_date.isoformat(),
        "asset": row.asset or None,
        "amount_at_risk": assets.text(int(row.amount_minor), row.asset) if row.asset else None,
        "age_days": aging.days(opened_at=row.created_at, now=now),
        "aging_bucket": aging.bucket(opened_at=row.created_at, now=now),
        "owner": row.owner,
        "next_review_on": row.next_review_on.isoformat() if row.next_review_on else None,
        "first_action": row.first_action,
        "reason": str(row.detail.get("reason", "")),
        "resolution": row.resolution,
        "records": {name: value for name, value in row.detail.items() if name != "reason" and value is not None},
        "opened_at": instant(row.created_at),
        "last_seen_at": instant(row.last_seen_at),
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "number": point.number,
        "text": point.text,
        "passes": point.passes,
        "figures": point.figures,
        "blocked_by": [*(case.reference for case in point.cases), *point.other],
    }
