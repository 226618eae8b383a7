"""Write the registered metrics in Prometheus' text format."""

from collections.abc import Iterator, Mapping

import structlog
from django.db import Error

from ledger.controls.metrics import Metric, registered

log = structlog.get_logger(__name__)


def exposition() -> str:
    """Return every metric; one whose collector fails is left out and counted."""
    failed: list[str] = []
    lines = [line for metric in registered() for line in _lines(metric, failed)]
    lines += [
        "# HELP holdfast_metrics_failed Metrics whose collector failed in this answer.",
        "# TYPE holdfast_metrics_failed gauge",
        f"holdfast_metrics_failed {len(failed)}",
    ]
    return "\n".join(lines) + "\n"


def _lines(metric: Metric, failed: list[str]) -> Iterator[str]:
    try:
        samples = list(metric.collect())
    except Error:
        log.warning("metrics.collector_failed", metric=metric.name, exc_info=True)
        failed.append(metric.name)
        return
    yield f"# HELP {metric.name} {_escaped(metric.help, quote=False)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for labels, value in samples:
        yield f"{metric.name}{_labels(labels)} {value}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{name}="{_escaped(text, quote=True)}"' for name, text in sorted(labels.items()))
    return "{" + inner + "}"


def _escaped(text: str, *, quote: bool) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quote else text
