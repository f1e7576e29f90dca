"""Structured logs: one event per line, each with the request id."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

from alliance.log_secrets import hide_secrets, without_secrets

# An outage fails every request: one line each is enough, and one traceback of each kind in so many seconds.
TRACEBACK_SECONDS = 60.0


class WithoutPolls(logging.Filter):
    """Drops requests for the demo's progress: each open page sends one every two seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        # structlog passes its events as a dict.
        return not (isinstance(record.msg, dict) and record.msg.get("request") == "GET /demo-progress/")


class WithoutRepeats(logging.Filter):
    """Drops Django's line about a request, and any about an outage, that has a line of its own.

    What the client did wrong has no traceback: anybody may send as much of it as they like.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if type(record.msg) is Line:
            return True
        if record.exc_info and getattr(record, "status_code", 500) < 500:
            if record.name == "django.request":
                # Of a view that refused: the line of the request comes after it.
                return False
            record.exc_info = None
        told = [getattr(record, "request", None), record.exc_info[1] if record.exc_info else None]
        return not any(getattr(subject, "has_log_line", False) for subject in told)


class Outages:
    """A processor that leaves out the traceback of an outage when there was one of its kind a moment ago.

    `outage_of` finds the outage in an exception. One exception gets one line, however many loggers are told.
    """

    def __init__(self, outage_of: Callable[[BaseException], Any]) -> None:
        self._outage_of = outage_of
        self._traced_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        given = event.get("exc_info")
        exception = given[1] if isinstance(given, tuple) else given
        if exception is True:
            exception = sys.exc_info()[1]
        if not isinstance(exception, BaseException) or (outage := self._outage_of(exception)) is None:
            return event
        if getattr(exception, "has_log_line", False):
            raise structlog.DropEvent
        with suppress(AttributeError):
            exception.has_log_line = True  # type: ignore[attr-defined]
        if event["event"] == "request_failed":
            event["code"] = outage.status
        # Beat puts the whole stack into its message.
        event["event"] = str(event["event"]).split("\n")[0]
        if not self._is_due(type(exception).__name__):
            del event["exc_info"]
            event["error"] = " ".join(str(exception).split())[:300]
        return event

    def forget(self) -> None:
        """Show the next traceback of each kind."""
        self._traced_at.clear()

    def _is_due(self, kind: str) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._traced_at.get(kind, float("-inf")) < TRACEBACK_SECONDS:
                return False
            self._traced_at[kind] = now
            return True


class Line(dict[str, Any]):
    """An event with all its fields, which needs no processors: that of a request, of which there are many."""


# What a record of the standard library has. Made anew, each asks for its thread, process and caller, which
# takes longer than the rest of a line and is not in it.
_BLANK: Final = {**vars(logging.LogRecord("", logging.NOTSET, "", 0, "", (), None)), "process": None}


def write_line(logger: logging.Logger, level: int, event: dict[str, Any]) -> None:
    """Log an event with what is bound to the context, in a tenth of the time that structlog takes."""
    if not logger.isEnabledFor(level):
        return
    name, now = logging.getLevelName(level), datetime.now(UTC)
    line = Line(event, **structlog.contextvars.get_contextvars())
    line["logger"], line["level"] = logger.name, name.lower()
    line["timestamp"] = now.isoformat().replace("+00:00", "Z")
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__.update(
        _BLANK, name=logger.name, levelno=level, levelname=name, msg=line, args=None, created=now.timestamp()
    )
    # As structlog marks its records.
    record._logger, record._name = logger, name.lower()
    # All handlers are the root's.
    logging.root.handle(record)


class JsonFormatter(structlog.stdlib.ProcessorFormatter):
    """structlog's formatter, with a shorter way for a Line."""

    def format(self, record: logging.LogRecord) -> str:
        if type(record.msg) is Line:
            # Of its texts only the address can have secrets, and all are without lone surrogates.
            line = record.msg | {"request": hide_secrets(record.msg["request"])}
            return msgspec.json.encode(line).decode()
        return super().format(record)


def _outage_of(exception: BaseException) -> Any:
    # The settings import this module, and what it imports needs the settings.
    from alliance.web.outages import outage_in  # noqa: PLC0415

    return outage_in(exception)


_outages = Outages(_outage_of)


def logging_config(level: str, *, as_json: bool) -> dict[str, Any]:
    """Return the `LOGGING` setting and configure structlog to feed it."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _outages,
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
        # In colours and with local variables, a traceback takes seconds, and shows what nobody may read.
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )

    def render(logger: Any, method: str, event: Any) -> Any:
        # Tracebacks become text first: they have addresses with secrets in them, too.
        event = structlog.processors.format_exc_info(logger, method, event)
        return renderer(logger, method, without_secrets(logger, method, event))

    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": JsonFormatter if as_json else structlog.stdlib.ProcessorFormatter,
                "processor": render,
                # As text: renderers would show local variables, or only the traceback's address.
                "foreign_pre_chain": [*shared, structlog.processors.format_exc_info],
            },
        },
        "filters": {"without_polls": {"()": WithoutPolls}, "without_repeats": {"()": WithoutRepeats}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["without_polls", "without_repeats"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # A wrong Host header has the line of its request, and needs no traceback.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Celery logs every start and every beat; its warnings are enough.
            "celery.beat": {"level": "WARNING"},
            "django_celery_beat": {"level": "WARNING"},
            # Successful jobs that run every few seconds would fill the log.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django_structlog.celery.receivers": {"level": "WARNING"},
        },
    }
