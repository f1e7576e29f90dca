"""Structured logs: one event a line, with the request id on every one."""

import logging
from typing import Any

import structlog


class WithoutPolls(logging.Filter):
    """Leaves out that a page asked how far the demo is: each does every other second."""

    def filter(self, record: logging.LogRecord) -> bool:
        # A dict: as structlog hands its events over.
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
            # axes and celery announce every start and every beat; their warnings are enough.
            "axes": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "django_celery_beat": {"level": "WARNING"},
            # Jobs that run every few seconds would fill the log with having run.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django_structlog.celery.receivers": {"level": "WARNING"},
        },
    }
