"""The runbook's commands: each block is run by a drill, and drills run what is there."""

import re

from django.conf import settings

from drills import runbook

_RUN = re.compile(r"""(?:\.run|at_the_\w+)\(\s*"([a-z][a-z-]*)\"""")


def test_drills_run_every_block_of_the_runbook_and_no_other() -> None:
    run = {
        step
        for path in (settings.BASE_DIR / "drills").glob("*.py")
        for step in _RUN.findall(path.read_text())
    }
    assert run == set(runbook.steps())


def test_no_command_of_the_runbook_is_outside_such_a_block() -> None:
    fences = re.findall(r"^```(.*)$", runbook.PAGE.read_text(), re.MULTILINE)
    assert [fence for fence in fences if fence and not re.fullmatch(r"sh [a-z-]+|ini", fence)] == []
