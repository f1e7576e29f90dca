#!/usr/bin/env python
"""Run a command of the project, on embedded servers unless the environment names others."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, InterfaceError, OperationalError
from psycopg2.errorcodes import UNDEFINED_TABLE

from alliance import embedded

# Commands that work without a database; `up` looks at its port before it starts anything.
SERVERLESS = {
    *("", "help", "version", "up", "reset", "build_assets", "collectstatic", "findstatic"),
    *("compilemessages", "makemessages", "diffsettings", "startapp", "startproject", "sendtestemail"),
}


def needs_servers(arguments: Sequence[str]) -> bool:
    """Tell whether a command line will want the database."""
    command = arguments[0] if arguments else ""
    if command.startswith("-") or command in SERVERLESS or {"-h", "--help"} & set(arguments):
        return False
    return command != "check" or any(argument.startswith("--database") for argument in arguments)


def outage_text(error: Exception) -> str | None:
    """Say in a line what is wrong with the database; None for an error of ours, which needs its traceback."""
    code = getattr(error.__cause__, "pgcode", None)
    reason = str(error).strip().split("\n")[0]
    if code == UNDEFINED_TABLE:
        return f"{reason}: look at DATABASE_URL, then run migrate."
    # A server that stops or starts (57P01 and on), one that can only be read, none at all.
    if isinstance(error, InterfaceError | OperationalError) and (code is None or code.startswith("57P0")):
        return (
            f"The database does not serve: {reason}. Once /readyz says that it does, run the command again."
        )
    return None


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    # A background job of a script starts with this one ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        # As an exception, so that the servers of a command that is killed are stopped too.
        signal.signal(signum, lambda number, _frame: sys.exit(128 + number))
    try:
        with embedded.running() if needs_servers(sys.argv[1:]) else contextlib.nullcontext():
            # Django reads the settings as soon as it is imported that far.
            from django.core.management import execute_from_command_line  # noqa: PLC0415

            from alliance.database.postgresql.silence import WATCH  # noqa: PLC0415 -- after the servers' check

            WATCH.announces = True
            execute_from_command_line(sys.argv)
            # Here, where whoever no longer reads it can be noticed.
            sys.stdout.flush()
    except embedded.EmbeddedServerError as error:
        sys.exit(str(error))
    except Error as error:
        if (text := outage_text(error)) is None:
            raise
        sys.exit(text)
    except ImproperlyConfigured as error:
        sys.exit(f"The settings are not right: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # `| head` has seen enough. The interpreter would try once more to write what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


if __name__ == "__main__":
    main()
