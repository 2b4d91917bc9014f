"""Stands in a container between its init and the program: keeps the output, and notes how the program ended.

Run by the image's own Python, 3.6 or newer, as ``python -I -S -B nsml_keeper.py CAP -- PROGRAM [ARGUMENT ...]``. It needs nobody
outside: the worker may be gone while it works. It is the program's own user, so whoever reads what it writes trusts none of it;
what counts (the exit code, who was killed for memory) the engine knows by itself.

In its folder it appends to ``log``, writes ``started`` before the program and ``end`` after it, and holds ``ballast``, so that
there is room for the last words of a program that has filled the disk.
"""
# ruff: noqa: PTH109, PTH123, S606, SIM105, UP  old Pythons, few imports: it stands before every start of a program

import errno
import fcntl
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "/keep"
BALLAST = 256 * 1024  # bytes
SCANT = 4 << 20  # bytes; a disk with less is full
PIPE_BYTES = 1 << 20  # the largest pipe an unprivileged process may ask for
F_SETPIPE_SZ = 1031
LOOK = 0.5  # seconds between two looks at what the box has used
LAST_WORDS = 5.0  # seconds to read the rest of the output after everything was killed
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FULL = b"\n[nsml] The disk of this box is full; only a little of what is written from here on is kept.\n"
CROWDED = b"\n[nsml] The box has as many processes as it may have; it is ended.\n"
CGROUP = "/sys/fs/cgroup/"
# The same fact in the first and the second version of the kernel's interface: (file, label or "" for the only number).
PIDS = (("pids/pids.events", "max"), ("pids.events", "max"))
KILLED = (("memory/memory.oom_control", "oom_kill"), ("memory.events", "oom_kill"))
MEMORY = (("memory/memory.max_usage_in_bytes", ""), ("memory.peak", ""))
PROCESSOR = (("cpuacct/cpuacct.usage", ""), ("cpu.stat", "usage_usec"))  # nanoseconds, microseconds


class Log:
    """The program's output on disk, up to a cap. What comes after is dropped, and the log says so."""

    def __init__(self, cap: int) -> None:
        self.fd = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.cap = self.room = cap
        self.is_capped = False
        self.disk = ""  # what ran out: room or files
        self.ballast = os.open("ballast", os.O_WRONLY | os.O_CREAT, 0o600)
        self.has_ballast = True
        try:
            os.posix_fallocate(self.ballast, 0, BALLAST)
        except OSError:  # not every file system can, and a full one has none
            pass

    def write(self, data: bytes) -> None:
        """Keep what there is room for."""
        kept = data[: self.room]
        self.room -= len(kept)
        self.append(kept)
        if len(kept) < len(data) and not self.is_capped:
            self.is_capped = True
            self.append(b"\n[nsml] The output limit of %d bytes is reached; the rest is dropped.\n" % self.cap)

    def append(self, data: bytes) -> None:
        """Write to the end; on a full disk, into what the ballast gives free."""
        while data:
            try:
                data = data[os.write(self.fd, data) :]
            except OSError as error:
                if error.errno not in NO_ROOM or not self.has_ballast:
                    return
                self.disk = "room"
                self.drop_ballast()
                data = FULL + data

    def drop_ballast(self) -> None:
        """Give its room free."""
        if self.has_ballast:
            self.has_ballast = False
            os.ftruncate(self.ballast, 0)

    def look(self) -> None:
        """Note when the disk is full: whoever filled it may tidy up before it ends."""
        if not self.disk:
            self.disk = find_want(".")


class Keeper:
    """One program, from its start to the end of everything in the box."""

    def __init__(self, cap: int) -> None:
        self.log = Log(cap)
        self.status = None  # type: int | None  # negative for a signal
        self.asked = False
        self.is_crowded = False

    def run(self, program: "list[str]", folder: str) -> None:
        """Start it in `folder`, see it to its end, and end what it left behind."""
        wake = listen()
        write("started", "")
        output = self.start(program, folder)
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        poller.register(output, select.POLLIN)
        look_at = time.time() + LOOK
        while self.status is None:
            ready = [fd for fd, _ in poller.poll(LOOK * 1000)]
            if output in ready and not self.take(output):
                poller.unregister(output)
            if wake in ready:
                self.obey(wake)
            if not ready or time.time() >= look_at:
                self.look()
                look_at = time.time() + LOOK
            self.reap()
        end_all(signal.SIGKILL)
        wake_init()
        self.take_rest(output)
        self.look()

    def start(self, program: "list[str]", folder: str) -> int:
        """Start it; the descriptor of its output."""
        output, output_end = os.pipe()
        try:
            fcntl.fcntl(output, F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:  # the node allows this user no more
            pass
        self.child = os.fork()
        if self.child == 0:
            become(program, output_end, folder)
        os.close(output_end)
        os.set_blocking(output, False)
        return output

    def take(self, output: int) -> bool:
        """Move what is there to the log. False: there will never be more."""
        try:
            data = os.read(output, PIPE_BYTES)
        except BlockingIOError:
            return True
        self.log.write(data)
        self.log.look()
        return bool(data)

    def take_rest(self, output: int) -> None:
        """The end of the output: everybody who could write is dead."""
        poller = select.poll()
        poller.register(output, select.POLLIN)
        until = time.time() + LAST_WORDS
        while poller.poll(max(0.0, until - time.time()) * 1000):
            if not self.take(output):
                return

    def obey(self, wake: int) -> None:
        """Pass on that the program is asked to end."""
        try:
            numbers = os.read(wake, 64)
        except BlockingIOError:
            return
        if signal.SIGTERM in bytearray(numbers):
            self.asked = True
            end_all(signal.SIGTERM)

    def look(self) -> None:
        """Compare what is used with what may be used."""
        self.log.look()
        if not self.is_crowded and read_number(PIDS):
            self.is_crowded = True
            self.log.append(CROWDED)
            end_all(signal.SIGKILL)

    def reap(self) -> None:
        """Learn how the program ended, once it has."""
        pid, status = os.waitpid(self.child, os.WNOHANG)
        if pid:
            self.status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def tell(self) -> None:
        """Note how it ended, and what the box has used."""
        self.log.drop_ballast()
        facts = [
            ("status", self.status),
            ("asked", int(self.asked)),
            ("disk", self.log.disk),
            ("pids", read_number(PIDS)),
            ("killed", read_number(KILLED)),
            ("peak_memory", read_number(MEMORY)),
            ("processor", read_number(PROCESSOR[:1]) // 1000 or read_number(PROCESSOR[1:])),
        ]
        write("end", "".join("{} {}\n".format(*fact) for fact in facts))


def listen() -> int:
    """A descriptor from which the numbers of the signals that came can be read."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # a handler, and not SIG_IGN, which the program would inherit
    return read_end


def become(program: "list[str]", output: int, folder: str) -> None:
    """In the forked child."""
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
            signal.signal(number, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        os.execve(program[0], program, os.environ)
    except OSError as error:
        os.write(2, f"{program[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def end_all(number: int) -> None:
    """A signal for everything in the box but its init and us."""
    try:
        os.kill(-1, number)
    except OSError:  # nobody is left
        pass


def wake_init() -> None:
    """The program may have stopped it, by ptrace; it would not see our end."""
    try:
        os.kill(1, signal.SIGCONT)
    except OSError:
        pass


def find_want(folder: str) -> str:
    """Whether a disk has no "room" left or no place for more "files"; empty when it has both.

    A large write is refused while a little is free that smaller ones would still get.
    """
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < min(SCANT, disk.f_blocks * disk.f_frsize // 8):
        return "room"
    return "files" if disk.f_files and not disk.f_favail else ""


def read_number(places: "Iterable[tuple[str, str]]") -> int:
    """A number the box's own cgroup counts; 0 where it counts none."""
    for path, label in places:
        try:
            with open(CGROUP + path) as file:
                lines = [line.split() for line in file]
        except OSError:
            continue
        for words in lines:
            if words and words[-1].isdigit() and (len(words) == 1 if not label else words[0] == label):
                return int(words[-1])
    return 0


def write(name: str, text: str) -> None:
    """A small file; on a full disk there may be none."""
    try:
        with open(name, "w") as file:
            file.write(text)
    except OSError:
        pass


def main(words: "list[str]") -> None:
    """CAP -- PROGRAM [ARGUMENT ...]; ends this process as the program ended."""
    if os.getuid() == 0 or os.getppid() != 1:
        sys.exit("The keeper ends every process it may, so it runs under the init of a box and never as root.")
    folder = os.getcwd()
    os.chdir(FOLDER)
    keeper = Keeper(int(words[0]))
    keeper.run(words[2:], folder)
    keeper.tell()
    status = keeper.status or 0
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main(sys.argv[1:])
