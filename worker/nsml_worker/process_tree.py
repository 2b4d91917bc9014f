"""The processes below a supervisor: who they are, what they use, and how to end them all. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


class Use:
    """What the processes below one of them use, measured from outside."""

    def __init__(self) -> None:
        self.memory = 0  # bytes, now
        self.peak_memory = 0  # bytes
        self.tasks = 0  # processes and threads, now
        self.cpu_seconds = 0.0  # of all that were seen
        self._cpu: dict[int, float] = {}

    def measure(self, root: int) -> None:
        """Look at everything below `root` once."""
        self.memory = self.tasks = 0
        for pid in descendants(root):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
                self._cpu[pid] = (int(fields[11]) + int(fields[12])) / TICK
                self.tasks += int(fields[17])
                self.memory += int(fields[21]) * PAGE
        self.cpu_seconds = sum(self._cpu.values())
        self.peak_memory = max(self.peak_memory, self.memory)

    def share_memory(self, root: int) -> None:
        """Count pages that several processes share once: forked data loaders share what their parent read."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            self.memory = sum(read_shared_size(pid) for pid in descendants(root))


def descendants(root: int) -> list[int]:
    """Every process below `root`; a parent comes before its children."""
    found: list[int] = []
    pending = [root]
    while pending:
        pid = pending.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  names only, and often
                children = [int(word) for word in read(f"/proc/{pid}/task/{thread}/children").split()]
                found += children
                pending += children
    return found


def list_program(root: int, pid_namespace: bool) -> list[int]:
    """The processes that are the program's own: in a pid namespace, without the launcher outside and the init inside."""
    everything = descendants(root)
    if not pid_namespace:
        return everything
    own_depth = len(read_pids(root))
    inside = [(pid, read_pids(pid)) for pid in everything]
    return [pid for pid, pids in inside if len(pids) > own_depth and pids[-1] != 1]


def read_pids(pid: int) -> list[int]:
    """A process's id in each pid namespace it is in, outermost first; empty when it is gone."""
    return _find_numbers(f"/proc/{pid}/status", "NSpid:")


def read_shared_size(pid: int) -> int:
    """Bytes of memory, each page divided by how many processes share it."""
    return _find_numbers(f"/proc/{pid}/smaps_rollup", "Pss:")[0] * 1024


def measure_folder(folder: str) -> int:
    """Bytes on disk below a folder. Links are not followed."""
    total = 0
    pending = [folder]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    return total


def kill_tree(child: int, uid: int | None) -> None:
    """SIGKILL for everything below us. The init of a pid namespace takes what is inside with it.

    Args:
        child: a direct child that leads a process group of its own.
        uid: a user of which every process may be killed, or None.
    """
    for pid in reversed(descendants(os.getpid())):
        send(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if uid is not None:
        _run_forked(lambda: _kill_as(uid))


def kill_until_none(child: int, uid: int | None) -> None:
    """Kill until nothing is left: who forks away becomes our child, and is killed the next time round."""
    while True:
        kill_tree(child, uid)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def read(path: str) -> str:
    """A small file of /proc."""
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  pathlib costs this process its start
        return file.read()


def _kill_as(uid: int) -> None:
    """Kill every process of a user, wherever it hid. To do so without harm one has to be that user."""
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.kill(-1, signal.SIGKILL)


def _run_forked(action: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _find_numbers(path: str, label: str) -> list[int]:
    """The numbers of one line of a file of /proc."""
    with contextlib.suppress(OSError, ValueError):
        for line in read(path).splitlines():
            if line.startswith(label):
                return [int(word) for word in line[len(label) :].split() if word.isdigit()]
    return []
