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

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEEPEST = 200  # folders in one another: each takes a descriptor while what is below it is measured
# As on the disks that boxes in containers have: room for so many files, and for one more with each so many bytes.
FREE_ENTRIES, BYTES_PER_ENTRY = 8192, 16384
UNKNOWN = float("inf")  # bytes below a folder that cannot be looked into
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
        self.memory = sum(read_shared_size(pid) for pid in descendants(root))


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
    """Bytes of memory, each page divided by how many processes share it; undivided where the kernel does not tell that."""
    shares = _find_numbers(f"/proc/{pid}/smaps_rollup", "Pss:")
    if shares:
        return shares[0] * 1024
    try:
        return int(read(f"/proc/{pid}/stat").rpartition(")")[2].split()[21]) * PAGE
    except (OSError, ValueError, IndexError):  # it has ended meanwhile
        return 0


def measure_folder(folder: str) -> float:
    """Bytes a folder takes, where many entries take room however small they are.

    No link is followed, also none that takes a folder's place meanwhile. UNKNOWN where a folder is closed to us or lies too
    deep: whoever hides what it writes has written too much.
    """
    try:
        fd = os.open(folder, FOLDER)
    except PermissionError:
        return UNKNOWN
    except OSError:
        return 0
    size, entries = _measure_below(fd, DEEPEST)
    return max(size, (entries - FREE_ENTRIES) * BYTES_PER_ENTRY)


def measure_unlinked(root: int, folders: list[str]) -> int:
    """Bytes of files without a name on the file systems of `folders` that processes below `root` keep open or mapped."""
    devices = {found.st_dev for found in map(_stat, folders) if found is not None}
    held: dict[tuple[int, int], int] = {}
    for pid in descendants(root):
        for place in (f"/proc/{pid}/fd", f"/proc/{pid}/map_files"):
            for found in _stat_each(place):
                if found.st_nlink == 0 and found.st_dev in devices:
                    held[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(held.values())


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


def _measure_below(fd: int, depth: int) -> tuple[float, int]:
    """(bytes, entries) of an open folder, which is closed afterwards."""
    size: float = 0
    entries, below = 0, []
    try:
        with os.scandir(fd) as found:
            for entry in found:
                entries += 1
                try:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                except OSError:  # it was removed meanwhile
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
        for name in below:
            try:
                child = os.open(name, FOLDER, dir_fd=fd) if depth else -1
            except PermissionError:
                child = -1
            except OSError:  # it was removed or replaced meanwhile
                continue
            more = (UNKNOWN, 0) if child < 0 else _measure_below(child, depth - 1)
            size, entries = size + more[0], entries + more[1]
    finally:
        os.close(fd)
    return size, entries


def _stat_each(place: str) -> list[os.stat_result]:
    """What the links of a folder of /proc lead to, as far as we may know."""
    try:
        found = [_stat(f"{place}/{name}") for name in os.listdir(place)]  # noqa: PTH208
    except OSError:  # it has ended meanwhile
        return []
    return [one for one in found if one is not None]


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except OSError:  # it is gone, or for root alone
        return None


def _find_numbers(path: str, label: str) -> list[int]:
    """The numbers of one line of a file of /proc."""
    try:
        lines = read(path).splitlines()
    except OSError:
        return []
    found = [line[len(label) :].split() for line in lines if line.startswith(label)]
    return [int(word) for word in found[0] if word.isdigit()] if found else []
