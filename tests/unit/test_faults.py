"""The faults of the crash tests do what they say."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta

import pytest

from tests.faults import Faulty, all_reached, delay, fail_before, lose_answer


def test_a_call_that_fails_before_is_not_made() -> None:
    made: list[int] = []
    port = Faulty(made, [fail_before("append", OSError("full"), nth=2)])

    port.port.append(1)
    with pytest.raises(OSError, match="full"):
        port.port.append(2)
    port.port.append(3)

    assert made == [1, 3]


def test_a_call_whose_answer_is_lost_is_made() -> None:
    made: list[int] = []
    port = Faulty(made, [lose_answer("append", OSError("lost"))])

    with pytest.raises(OSError, match="lost"):
        port.port.append(1)

    assert made == [1]


def test_calls_are_counted_over_all_objects_in_turn() -> None:
    made: list[int] = []
    port = Faulty(made, [fail_before("append", OSError("full"), nth=2)])
    port.port.append(1)

    with pytest.raises(OSError, match="full"):
        port.around(list[int]()).append(2)

    assert port.calls["append"] == 2


def test_a_late_call_is_made_late() -> None:
    made: list[int] = []
    began = time.monotonic()
    Faulty(made, [delay("append", timedelta(milliseconds=20))]).port.append(1)

    assert made == [1]
    assert time.monotonic() - began >= 0.02


def test_a_fault_that_was_never_reached_fails_its_test() -> None:
    made: list[int] = []
    port = Faulty(made, [fail_before("append", OSError("full"), nth=2)])

    with pytest.raises(AssertionError, match=r"never reached: 2\. append"), all_reached(port):
        port.port.append(1)


@pytest.mark.parametrize(("fault", "made"), [("die_before", ""), ("die_after", "made\n")])
def test_a_process_dies_by_sigkill_on_the_named_side_of_the_call(fault: str, made: str) -> None:
    program = (
        f"import sys; from tests.faults import Faulty, {fault}\n"
        f"out = Faulty(sys.stderr, [{fault}('write')]).port\n"
        "out.write('made\\n'); print('survived')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (-9, "", made)
