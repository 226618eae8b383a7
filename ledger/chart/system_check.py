"""The drift check as a system check of Django, over the bundled baseline: a release with drift does not start."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.checks import CheckMessage, Error, register

from ledger.chart import bundled, drift

TAG: Final = "chart"
IDENTIFIER: Final = "ledger.E001"


@register(TAG)
def bundled_baseline(**_: Any) -> Sequence[CheckMessage]:
    """Return one error per drift. Reads files of the release, no table; a tenth of a second."""
    found = drift.find(chart=bundled.chart(), mappings=bundled.gl_mappings(), sources=bundled.sources())
    return [Error(str(one), id=IDENTIFIER) for one in found]
