"""Structured logging: every line carries its request id and order reference, and no secret.

Code binds what it knows with ``structlog.contextvars.bind_contextvars(request_id=…, order_reference=…)`` and
logs with ``structlog.get_logger(__name__)``; records of the standard library pass the same processors.
"""

import logging
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ledger.controls.redaction import redacted


def configure() -> None:
    """Route structlog through the standard library's logging, so that one formatter writes every line."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def dictionary(*, format: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING for the format (``json`` or ``console``) and level."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": {"()": "config.logging.formatter", "format": format}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


def formatter(*, format: str) -> logging.Formatter:
    """Build the formatter that writes every line."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    # The exception becomes text before secrets are removed, so that a traceback is searched too.
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secrets in the event, by key and by pattern."""
    cleaned = redacted(event)
    assert isinstance(cleaned, dict)
    return cleaned


_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(allow=None),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
