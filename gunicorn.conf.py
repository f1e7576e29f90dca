"""Gunicorn: a few processes of a few threads each, as views mostly wait for the database."""

import gc
import os
import sys
from typing import Any

from gunicorn.arbiter import Arbiter

wsgi_app = "alliance.wsgi:application"
# Threads, and an end to waiting for slow clients.
worker_class = "alliance.web.gunicorn_worker.PatientWorker"
workers = int(os.environ.get("WEB_WORKERS", "2"))
# More than heavy calls may take, see docs/limits.md: some are always left for light ones.
threads = int(os.environ.get("WEB_THREADS", "12"))
# A batch of 5,000 scans takes well under a second; a minute means something is wrong.
timeout = 60
graceful_timeout = 4
keepalive = 15
# Files go out in pieces like all else, so that our limit for clients that do not read holds for them.
sendfile = False
# Workers touch a file to show that they live: on a disk that is full or hangs, they could not.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory
# Leaks end with the process: the worker measures its memory, see WEB_MEMORY_MB.
max_requests = 0
# Requests are logged by the application, with their ids.
accesslog = None
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Have threads take turns often: at 5 ms a turn, light reads wait long beside a batch being decoded.

    Leave what was loaded out of collections of garbage: one of all of it stops every thread for 0.1 s.
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    if "WEB_WAITS_FOR" not in os.environ:
        _require_private_demo(worker)


def _require_private_demo(worker: Any) -> None:
    """Stop the server if others could log in with the demo's passwords. `manage.py up` has looked itself."""
    from django.core.management.base import CommandError  # noqa: PLC0415 -- the worker has loaded Django only now

    from alliance.demo_progress import require_private_demo  # noqa: PLC0415

    try:
        # A socket in the file system is of this machine.
        require_private_demo(*(address[0] for address in worker.cfg.address if isinstance(address, tuple)))
    except CommandError as refusal:
        worker.log.error(str(refusal))
        # The code that makes gunicorn stop instead of starting another worker.
        sys.exit(Arbiter.APP_LOAD_ERROR)


def worker_exit(server: Any, worker: Any) -> None:
    """Write what is left of the request log, for a moment at most.

    Leave out the last collection of garbage, which takes longer than the rest of the stop.
    """
    if "alliance.call_log.writing" in sys.modules:
        sys.modules["alliance.call_log.writing"].WRITER.end(seconds=1.5)
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Have nobody wait for a dead worker; drop its live gauges from the metrics the others answer with."""
    worker.forget()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess  # noqa: PLC0415 -- reads the variable when imported

        multiprocess.mark_process_dead(worker.pid)
