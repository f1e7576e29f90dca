"""Several programs as one command: its messages, and that no process is left."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from honcho.printer import Message

from alliance.supervision import Supervisor

ROOT = Path(__file__).resolve().parents[2]

SUPERVISE = """
    import os, sys
    from alliance.supervision import Supervisor
    supervisor = Supervisor(is_ready=lambda: True, when_ready="*** ready ***", output=sys.stdout)
    for name, code in PROGRAMS.items():
        supervisor.add(name, [sys.executable, "-uc", code], dict(os.environ))
    supervisor.loop()
    print("failure:", supervisor.failure)
"""
WAIT = "import os, time; print('pid', os.getpid()); time.sleep(60)"
DIE = "print('no luck'); raise SystemExit(3)"
# Ends by itself some time after everything was ready: once, or however often it is started.
DIE_LATER = "import os, time; print('pid', os.getpid()); time.sleep(1); raise SystemExit(3)"
DIE_ONCE = """
import os, pathlib, time
print('pid', os.getpid())
been_here = pathlib.Path(MARK)
if not been_here.exists():
    been_here.touch()
    time.sleep(1)
    raise SystemExit(3)
time.sleep(60)
"""
# Only an outright kill ends it.
DEAF = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print('pid', os.getpid()); time.sleep(60)"


def supervise(**programs: str) -> subprocess.Popen[str]:
    return start(f"PROGRAMS = {programs!r}\n{textwrap.dedent(SUPERVISE)}")


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-uc", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def read_until(process: subprocess.Popen[str], *words: str) -> list[str]:
    """Return the lines up to the one with which each of the words has been seen."""
    assert process.stdout
    lines: list[str] = []
    while not all(any(word in line for line in lines) for word in words):
        line = process.stdout.readline()
        assert line, lines
        lines.append(line)
    return lines


def pids(lines: list[str]) -> list[int]:
    return [int(line.split("pid ")[1]) for line in lines if "| pid " in line]


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def assert_ended(process_ids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(map(exists, process_ids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(exists, process_ids))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_every_program_and_is_no_failure(signum: signal.Signals) -> None:
    process = supervise(one=WAIT, two=WAIT)
    lines = read_until(process, "one    | pid", "two    | pid", "*** ready ***")
    process.send_signal(signum)
    rest, _ = process.communicate(timeout=30)
    assert rest.endswith("failure: \n")
    assert_ended(pids(lines))


def test_program_that_ends_stops_the_others_and_is_named() -> None:
    output, _ = supervise(one=WAIT, two=DIE).communicate(timeout=30)
    assert "two    | no luck" in output
    assert "failure: two ended by itself (code 3) and everything was stopped" in output
    assert_ended(pids(output.splitlines()))


def test_program_that_ends_after_all_was_ready_is_started_again(tmp_path: Path) -> None:
    process = supervise(one=WAIT, two=DIE_ONCE.replace("MARK", repr(str(tmp_path / "mark"))))
    lines = read_until(process, "two ended by itself (code 3) and is started again.")
    lines += read_until(process, "two    | pid")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert rest.endswith("failure: \n")
    # One of the one and two of the other.
    assert len(pids(lines)) == 3
    assert_ended(pids(lines))


def test_program_that_ends_repeatedly_is_not_restarted() -> None:
    output, _ = supervise(one=WAIT, two=DIE_LATER).communicate(timeout=60)
    assert output.count("two ended by itself (code 3) and is started again.") == 3
    assert "failure: two ended by itself (code 3) and everything was stopped" in output
    assert_ended(pids(output.splitlines()))


ONE_AFTER_ANOTHER = """
    import os, sys
    from alliance.supervision import READY, Supervisor
    supervisor = Supervisor(is_ready=lambda: True, when_ready="*** ready ***", output=sys.stdout)
    run = lambda code: [sys.executable, "-uc", code]
    supervisor.add("one", run(WAIT), os.environ)
    said = lambda code: f"*** two said {code} ***"
    supervisor.add("two", run(WORK), os.environ, after=READY, on_exit=said)
    supervisor.add("three", run(WAIT), os.environ, after="two")
    supervisor.loop()
    print("failure:", supervisor.failure)
"""


@pytest.mark.parametrize("work", ["raise SystemExit(0)", "raise SystemExit(5)"])
def test_program_that_does_its_work_ends_alone_and_the_next_one_starts(work: str) -> None:
    process = start(f"WAIT, WORK = {WAIT!r}, {work!r}\n{textwrap.dedent(ONE_AFTER_ANOTHER)}")
    lines = read_until(process, "three  | pid")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert rest.endswith("failure: \n")
    messages = [line.strip() for line in lines if "***" in line or "started" in line]
    order = ["one started", "*** ready", "two started", f"*** two said {work[-2]}", "three started"]
    assert [next(word for word in order if word in line) for line in messages] == order
    assert_ended(pids(lines))


def test_program_that_works_is_stopped_with_the_others() -> None:
    process = start(f"WAIT, WORK = {WAIT!r}, {WAIT!r}\n{textwrap.dedent(ONE_AFTER_ANOTHER)}")
    lines = read_until(process, "one    | pid", "two    | pid")
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    assert rest.endswith("failure: \n")
    assert "*** two said" not in rest
    assert "three started" not in rest
    assert_ended(pids(lines))


def test_programs_that_began_early_are_stopped_when_it_comes_to_nothing() -> None:
    early = textwrap.dedent(SUPERVISE).replace(
        "supervisor.loop()", "supervisor.begin()\nsupervisor.abandon()"
    )
    output, _ = start(f"PROGRAMS = {dict(one=WAIT, two=WAIT)!r}\n{early}").communicate(timeout=30)
    assert "*** ready ***" not in output
    assert output.endswith("failure: \n")
    assert "one stopped" in output
    assert "two stopped" in output


def test_program_that_will_not_stop_is_killed() -> None:
    process = supervise(one=WAIT, deaf=DEAF)
    lines = read_until(process, "one    | pid", "deaf   | pid")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=40)
    assert rest.endswith("failure: \n")
    assert_ended(pids(lines))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_programs_end_with_a_supervisor_that_is_killed_outright() -> None:
    process = supervise(one=WAIT, two=WAIT)
    lines = read_until(process, "one    | pid", "two    | pid")
    process.kill()
    process.communicate(timeout=30)
    assert_ended(pids(lines))


def test_result_of_tend_is_printed() -> None:
    supervise_code = SUPERVISE.replace("output=sys.stdout)", 'output=sys.stdout, tend=lambda: "mended")')
    code = f"PROGRAMS = {dict(one=WAIT)!r}\n{textwrap.dedent(supervise_code)}"
    process = subprocess.Popen(
        [sys.executable, "-uc", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    read_until(process, "mended")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


FAILING = """
    said = iter(["mended", RuntimeError("no luck"), RuntimeError("no luck"), SystemExit(), "mended again"])
    def tend():
        result = next(said, "")
        if isinstance(result, BaseException):
            raise result
        return result
"""


def test_watch_over_servers_goes_on_whatever_happens_to_it() -> None:
    body = textwrap.dedent(SUPERVISE).replace("output=sys.stdout)", "output=sys.stdout, tend=tend)")
    process = start(f"PROGRAMS = {dict(one=WAIT)!r}\n{textwrap.dedent(FAILING)}\n{body}")
    text = "".join(read_until(process, "mended again"))
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert rest.endswith("failure: \n")
    assert text.count("Looking after the servers failed: RuntimeError('no luck'). Trying again.") == 1
    assert "The watch over the servers ended; a new one begins." in text


HANGING = """
    import time
    from alliance import supervision
    supervision.TEND_SECONDS = 0.5
    waits = iter([60])
    def tend():
        time.sleep(next(waits, 0))
        return "mended"
"""


def test_watch_that_hangs_is_replaced_and_does_not_keep_the_end_waiting() -> None:
    body = textwrap.dedent(SUPERVISE).replace("output=sys.stdout)", "output=sys.stdout, tend=tend)")
    process = start(f"PROGRAMS = {dict(one=WAIT)!r}\n{textwrap.dedent(HANGING)}\n{body}")
    lines = read_until(process, "mended")
    assert any("The watch over the servers hangs; a new one begins." in line for line in lines)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert rest.endswith("failure: \n")


# A child of a program in its session, which outlives it.
LEAVES_A_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN);"
                          "print('ready', flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
print('pid', child.pid)
time.sleep(60)
"""


def test_no_child_of_a_program_is_left() -> None:
    process = supervise(one=LEAVES_A_CHILD)
    lines = read_until(process, "one    | pid", "*** ready ***")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert_ended(pids(lines))


def test_output_that_takes_no_line_stops_nothing() -> None:
    with Path("/dev/full").open("w") as output:
        printer = Supervisor(is_ready=lambda: True, when_ready="", output=output)._printer
        for name in (None, "web"):
            printer.write(Message("line", "a line", datetime.now(UTC), name, None))
        with suppress(OSError):
            output.close()


def test_our_own_text_is_printed_without_a_name() -> None:
    output = io.StringIO()
    printer = Supervisor(is_ready=lambda: True, when_ready="", output=output)._printer
    now = datetime.now(UTC)
    printer.write(Message("line", "a table\nof two lines", now, None, None))
    printer.write(Message("line", "a line", now, "web", None))
    assert output.getvalue().splitlines() == ["a table", "of two lines", f"{now:%H:%M:%S} web    | a line"]
