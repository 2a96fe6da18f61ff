"""A process is known again, and known to be dead, by more than its number."""

import os
import subprocess
import sys
from collections.abc import Generator

import pytest
from meldbalie.flows.processes import has_died, this_process

SAYS_ITS_NAME = """
from meldbalie.flows.processes import this_process
print(this_process(), flush=True)
input()
"""


@pytest.fixture
def other() -> Generator[tuple[subprocess.Popen[str], str]]:
    """Another process, with its name."""
    command = [sys.executable, "-c", SAYS_ITS_NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_process_at_work_has_not_died(other: tuple[subprocess.Popen[str], str]) -> None:
    _, name = other

    assert not has_died(name)
    assert not has_died(this_process() or "")


def test_a_killed_process_has_died_even_before_somebody_took_notice(
    other: tuple[subprocess.Popen[str], str],
) -> None:
    process, name = other

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and nobody has reaped it
    unnoticed = has_died(name)
    process.wait()

    assert unnoticed
    assert has_died(name)


def test_a_number_that_was_given_out_again_is_not_the_process() -> None:
    name = this_process()
    assert name
    where, _, start = name.rpartition("/")

    assert has_died(f"{where}/{int(start) - 1}")


@pytest.mark.parametrize("name", ["", "elsewhere", "another-boot/pid:[1]/1/1", "a/b/c/d/e", "/////"])
def test_of_a_process_elsewhere_nothing_is_known(name: str) -> None:
    assert not has_died(name)


def test_a_process_of_another_container_is_elsewhere() -> None:
    name = this_process()
    assert name
    boot, _, number, start = name.split("/")

    assert not has_died(f"{boot}/pid:[1]/{int(number) + 10**6}/{start}")
