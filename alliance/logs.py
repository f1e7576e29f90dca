"""Structured logs: one event per line, each with the request id."""

import logging
from typing import Any

import structlog


class WithoutPolls(logging.Filter):
    """Drops requests for the demo's progress: each open page sends one every two seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        # structlog passes its events as a dict.
        return not (isinstance(record.msg, dict) and record.msg.get("request") == "GET /demo-progress/")


def logging_config(level: str, *, as_json: bool) -> dict[str, Any]:
    """Return the `LOGGING` setting and configure structlog to feed it."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": renderer,
                "foreign_pre_chain": shared,
            },
        },
        "filters": {"without_polls": {"()": WithoutPolls}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["without_polls"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Celery logs every start and every beat; its warnings are enough.
            "celery.beat": {"level": "WARNING"},
            "django_celery_beat": {"level": "WARNING"},
            # Successful jobs that run every few seconds would fill the log.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django_structlog.celery.receivers": {"level": "WARNING"},
        },
    }
