"""The processes below a supervisor: who they are, what they use, and how to end them all.

Standard library only, and little of it: the supervisor stands before every start of a program.
"""
# ruff: noqa: SIM105  contextlib would cost the supervisor a third of its start

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
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
            try:
                fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
                self._cpu[pid] = (int(fields[11]) + int(fields[12])) / TICK
                self.tasks += int(fields[17])
                self.memory += int(fields[21]) * PAGE
            except (OSError, ValueError, IndexError):  # it has ended meanwhile
                continue
        self.cpu_seconds = sum(self._cpu.values())
        self.peak_memory = max(self.peak_memory, self.memory)

    def share_memory(self, root: int) -> None:
        """Count pages that several processes share once: forked data loaders share what their parent read."""
        try:
            self.memory = sum(read_shared_size(pid) for pid in descendants(root))
        except IndexError:  # one has ended, or may not be looked at: what was counted before stands
            pass


def descendants(root: int) -> list[int]:
    """Every process below `root`; a parent comes before its children."""
    found: list[int] = []
    pending = [root]
    while pending:
        pid = pending.pop()
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  names only, and often
                children = [int(word) for word in read(f"/proc/{pid}/task/{thread}/children").split()]
                found += children
                pending += children
        except OSError:  # it has ended meanwhile
            continue
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
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:  # it was removed meanwhile
            continue
    return total


def kill_tree(child: int, uid: int | None) -> None:
    """SIGKILL for everything below us. The init of a pid namespace takes what is inside with it.

    Args:
        child: a direct child that leads a process group of its own.
        uid: a user of which every process may be killed, or None.
    """
    for pid in reversed(descendants(os.getpid())):
        send(pid, signal.SIGKILL)
    send(-child, signal.SIGKILL)
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
    """Send a signal to a process that may be gone; to its group when negative."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


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
    os.waitpid(pid, 0)


def _find_numbers(path: str, label: str) -> list[int]:
    """The numbers of one line of a file of /proc."""
    try:
        lines = read(path).splitlines()
    except OSError:
        return []
    found = [line[len(label) :].split() for line in lines if line.startswith(label)]
    return [int(word) for word in found[0] if word.isdigit()] if found else []
