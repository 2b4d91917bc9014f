"""The supervisor of a box: it holds the program to its limits and to nothing else, and the program never outlives it."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from nsml_worker.confinement import LADDER, Confinement
from nsml_worker.contract import EndReason
from nsml_worker.errors import BoxFailed

SECONDS = 30  # until what must end has ended
WAITING = "import time; print('here'); time.sleep(600)"
# Its child leaves a process without a parent; ends well once nothing of that is left.
ORPHAN = """
import os, sys, time
read_end, write_end = os.pipe()
if os.fork() == 0:
    pid = os.fork()
    if pid:
        os.write(write_end, b"%d" % pid)
    os._exit(0)
os.wait()
orphan = int(os.read(read_end, 20))
for _ in range(2000):
    if not os.path.exists("/proc/%d" % orphan):
        sys.exit(0)
    time.sleep(0.01)
sys.exit("it is still there")
"""


@pytest.fixture(params=LADDER, ids=lambda confinement: confinement.name)
def sealed(request: pytest.FixtureRequest, site: Any) -> Any:
    confinement: Confinement = request.param
    site.confine(confinement)
    return site


def test_a_program_ends_with_a_supervisor_that_is_killed(sealed: Any) -> None:
    box = sealed.offer(WAITING)
    sealed.start_worker().take(1, "run-secret-canary")
    sealed.wait_for_output(1, b"here\n")
    supervisor = psutil.Process(int((sealed.boxes / str(box) / "lock").read_text()))
    below = supervisor.children(recursive=True)
    assert below
    os.kill(supervisor.pid, signal.SIGKILL)
    assert psutil.wait_procs(below, timeout=SECONDS)[1] == []
    assert sealed.memory.wait_for_end(box).reason is EndReason.BOX_LOST


def test_a_supervisor_that_fails_leaves_no_program_behind(sealed: Any) -> None:
    runner = sealed.make_runner()
    sealed.offer("import time; time.sleep(600)")  # silent: who writes where nobody reads would end by that
    box = runner.find(sealed.memory.specs["run-secret-canary"], "run-secret-canary")
    box.create()
    sealed.lay_out(runner, box)
    (box.folder / ".started").mkdir()  # where it writes first that the program was reached
    with pytest.raises(BoxFailed, match="could not be started"):
        runner.start(box)
    assert find_processes(box.folder) == []
    runner.clean(box)


def find_processes(folder: Path) -> list[str]:
    """Those that were told of a folder, or are in it."""
    here = str(folder)
    found = psutil.process_iter(["cmdline", "cwd"])
    told = [(one.info["cmdline"] or [], one.info["cwd"] or "") for one in found]
    return [" ".join(words) for words, cwd in told if here in cwd or any(here in word for word in words)]


def test_a_process_without_a_parent_is_gone_once_it_has_ended(sealed: Any) -> None:
    box = sealed.offer(ORPHAN)
    sealed.start_worker().take(1, "run-secret-canary")
    ended = sealed.memory.wait_for_end(box)
    assert ended.reason is EndReason.EXITED, sealed.memory.stream(1, "log").decode()
