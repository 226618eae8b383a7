"""Support packets: a trace as a ZIP of JSON and a printable page, in the partner's view (nothing of the inside).

The house's own packet has all of it: cases, exceptions, freezes, accounts, evidence and staff.

Made again for an unchanged one it is the same bytes, but for the instant at which it was made.
"""

import io
import json
import zipfile
from datetime import datetime
from typing import Final

from django.template.loader import render_to_string

from ledger.controls.rest.answers import instant
from orders.models import Intent, Order
from reconciliation.intent_trace import trace_of_intent
from reconciliation.trace import Record, trace_of

CONTENT_TYPE: Final = "application/zip"


def packet_of(order: Order, *, now: datetime, inside: bool = False) -> bytes:
    """Return the ZIP: `{order}.json` and `{order}.html`. `inside`: the house's own, never a partner's."""
    traced = trace_of(order, inside=inside)
    shown = {"order": order, "traced": traced, "made_at": instant(now), "inside": inside}
    page = render_to_string("console/packet.html", shown)
    return _zipped(order.reference, traced, page, now=now)


def packet_of_intent(intent: Intent, *, now: datetime, inside: bool = False) -> bytes:
    """Return the ZIP: `{intent}.json` and `{intent}.html`. `inside`: the house's own, never a partner's."""
    traced = trace_of_intent(intent, inside=inside)
    shown = {"intent": intent, "traced": traced, "made_at": instant(now), "inside": inside}
    return _zipped(intent.reference, traced, render_to_string("console/intent_packet.html", shown), now=now)


def name_of(subject: Order | Intent, *, inside: bool = False) -> str:
    """Return the packet's file name."""
    return f"{'house' if inside else 'support'}-packet-{subject.reference}.zip"


def _zipped(reference: str, traced: Record, page: str, *, now: datetime) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as packet:
        for name, content in ((f"{reference}.json", json.dumps(traced, indent=2) + "\n"), (f"{reference}.html", page)):
            entry = zipfile.ZipInfo(name, date_time=(now.year, now.month, now.day, now.hour, now.minute, now.second))
            entry.compress_type = zipfile.ZIP_DEFLATED
            packet.writestr(entry, content)
    return kept.getvalue()
