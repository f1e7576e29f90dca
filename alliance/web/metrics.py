"""Metrics of requests: django_prometheus's, counted by a cheaper middleware than its own.

Web processes share numbers through memory-mapped files, and each number takes microseconds to write: sixteen
a request take as long as a light view. So a process counts for itself, and adds to the shared numbers once a
second.
"""

import atexit
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponseBase
from django_prometheus.middleware import Metrics

EVERY_SECONDS: Final = 1.0
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})


class _Kind(NamedTuple):
    """The labels of a request and its answer."""

    view: str
    method: str
    transport: str
    status: int
    charset: str
    # Of an answer that was rendered from one.
    template: str | None
    is_streaming: bool
    is_ajax: bool


class _Distribution:
    """Amounts of one histogram: how many in each of its buckets, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, histogram: Any) -> None:
        self.bounds = histogram._upper_bounds  # noqa: SLF001 -- there is no way to add many at once
        self.counts = [0] * len(self.bounds)
        self.total = 0.0

    def add(self, amount: float) -> None:
        self.counts[bisect_left(self.bounds, amount)] += 1
        self.total += amount

    def add_to(self, histogram: Any) -> None:
        histogram._sum.inc(self.total)  # noqa: SLF001
        for bucket, count in zip(histogram._buckets, self.counts, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)


class _Count:
    """Requests of one kind."""

    __slots__ = ("number", "received", "seconds", "sent")

    def __init__(self, metrics: Metrics) -> None:
        self.number = 0
        self.seconds = _Distribution(metrics.requests_latency_before)
        self.received = _Distribution(metrics.requests_body_bytes)
        self.sent = _Distribution(metrics.responses_body_bytes)


class _Counts:
    """What this process has counted and not added to the shared numbers yet."""

    def __init__(self) -> None:
        self._metrics = Metrics.get_instance()
        self._lock = threading.Lock()
        self._by_kind: dict[_Kind, _Count] = {}

    def add(self, kind: _Kind, *, seconds: float, received: int, sent: int | None) -> None:
        with self._lock:
            if not self._by_kind:
                timer = threading.Timer(EVERY_SECONDS, self.flush)
                timer.daemon = True
                timer.start()
            count = self._by_kind.get(kind)
            if count is None:
                count = self._by_kind[kind] = _Count(self._metrics)
            count.number += 1
            count.seconds.add(seconds)
            count.received.add(received)
            if sent is not None:
                count.sent.add(sent)

    def flush(self) -> None:
        """Add all to the shared numbers."""
        with self._lock:
            counted, self._by_kind = self._by_kind, {}
            for kind, count in counted.items():
                self._publish(kind, count)

    def _publish(self, kind: _Kind, count: _Count) -> None:
        metrics, number, status = self._metrics, count.number, str(kind.status)
        view, method, transport = kind.view, kind.method, kind.transport
        metrics.requests_total.inc(number)
        metrics.responses_total.inc(number)
        metrics.requests_by_method.labels(method=method).inc(number)
        metrics.requests_by_transport.labels(transport=transport).inc(number)
        metrics.requests_by_view_transport_method.labels(view=view, transport=transport, method=method).inc(
            number
        )
        metrics.responses_by_status.labels(status=status).inc(number)
        metrics.responses_by_status_view_method.labels(status=status, view=view, method=method).inc(number)
        metrics.responses_by_charset.labels(charset=kind.charset).inc(number)
        if kind.template is not None:
            metrics.responses_by_templatename.labels(templatename=kind.template).inc(number)
        if kind.is_streaming:
            metrics.responses_streaming.inc(number)
        else:
            count.sent.add_to(metrics.responses_body_bytes)
        if kind.is_ajax:
            metrics.requests_ajax.inc(number)
        count.received.add_to(metrics.requests_body_bytes)
        count.seconds.add_to(metrics.requests_latency_before)
        count.seconds.add_to(metrics.requests_latency_by_view_method.labels(view=view, method=method))


_counts = _Counts()
# Of the last second of a process.
atexit.register(_counts.flush)


def publish() -> None:
    """Make visible in the metrics what this process has counted. Others do so within a second."""
    _counts.flush()


def _count_failure(sender: object, request: HttpRequest | None = None, **_signal: object) -> None:
    """Count an exception that no view handled. Receives Django's signal `got_request_exception`."""
    metrics, kind = Metrics.get_instance(), sys.exc_info()[0]
    metrics.exceptions_by_type.labels(type=kind.__name__ if kind else "").inc()
    metrics.exceptions_by_view.labels(view=_view_of(request)).inc()


def _view_of(request: HttpRequest | None) -> str:
    match = request.resolver_match if request else None
    return (match.view_name if match else "") or "<unnamed view>"


class MetricsMiddleware:
    """Counts every request of a page and its answer, and how long it took, all middleware included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        count_failures()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        response = self.get_response(request)
        count_answer(request, response, begun)
        return response


def count_failures() -> None:
    """Count exceptions that no view handles from now on."""
    got_request_exception.connect(_count_failure, dispatch_uid="metrics")


def count_answer(request: HttpRequest, response: HttpResponseBase, begun: float) -> None:
    """Count a request and its answer; `begun`: when its work began, of `time.perf_counter()`."""
    environ, method, is_streaming = request.META, request.method or "", response.streaming
    kind = _Kind(
        _view_of(request),
        method if method in METHODS else "<invalid method>",
        request.scheme or "",
        response.status_code,
        response.charset,
        str(response.template_name) if hasattr(response, "template_name") else None,
        is_streaming,
        environ.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest",
    )
    length = environ.get("CONTENT_LENGTH") or "0"
    _counts.add(
        kind,
        seconds=time.perf_counter() - begun,
        received=int(length) if length.isdecimal() else 0,
        sent=None if is_streaming else len(response.content),  # type: ignore[attr-defined]
    )
