"""The small parent of a program: starts it, keeps its output and its limits, and writes down how it ended.

Started by process_runner in a Python without site packages; standard library only. It is a session of its own, so it and the
program outlive the worker. It stands outside what the program can see or signal, and trusts nothing the program says: output
reaches it through a pipe, the end through the kernel.

In its folder it reads ``plan`` (written by process_runner), appends to ``log``, writes ``started`` when the program was
reached and ``exit`` when everything of it is gone. SIGTERM asks the program to stop, SIGQUIT kills it now.
"""
# ruff: noqa: SIM105  contextlib, json and subprocess would double what this process costs before every start of a program

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import time

from nsml_worker import process_tree
from nsml_worker.fields import read_fields, write_fields
from nsml_worker.output_log import Log
from nsml_worker.supervisor_plan import Plan

LOCK_FD = 0  # locked as long as this process lives; holds its process id
MARK_FD = 9  # the launcher writes one byte here from inside the sealed box, just before it becomes the program
PIPE_BYTES = 1 << 20  # the largest pipe an unprivileged process may ask for
FIRST_LOOK, LAST_LOOK = (
    0.02,
    1.0,
)  # seconds between two looks at what a program uses: short at first, for short programs
LIMITED_LOOK = 0.1  # seconds, where memory or processes are limited: how late a limit may be noticed
DISK_LOOK = 2.0  # seconds between two walks through what a program wrote
LAST_WORDS = 5.0  # seconds to read the rest of the output after everything was killed
LAUNCH_BYTES = 64 * 1024  # kept of what the launcher says when it fails
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(folder: str) -> None:
    """Run the plan in `folder` to its end."""
    os.chdir(folder)
    box = Box(Plan(read_fields("plan")))
    try:
        box.run()
    except Exception as error:
        failed = "watched any more, so its program was ended" if box.launched else "started"
        box.cause, box.detail = "node_error", f"The box could not be {failed}: {error}."
    box.write_exit()
    os._exit(0)  # nothing is left to do, and to leave in order takes longer


class Box:
    """One program under supervision."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begin = time.monotonic()
        self.use = process_tree.Use()
        self.log = Log("log", plan.log_cap)
        self.launched = False
        self.launch_output = b""
        self.cause = ""  # why we ended it; empty: it ended by itself
        self.detail = ""
        self.status: int | None = None  # as subprocess tells it: negative for a signal
        self.kill_at: float | None = None
        self.pause = FIRST_LOOK
        self.look_at = self.begin + FIRST_LOOK
        self.disk_at = self.begin + DISK_LOOK

    def run(self) -> None:
        """Start, watch, and clear away. Whatever happens to us, nothing of the program is left afterwards."""
        wake = listen_for_signals()
        os.pwrite(LOCK_FD, str(os.getpid()).encode(), 0)  # from here on we can be asked to stop
        output, mark = self.start()
        try:
            self.watch(wake, output, mark)
        finally:
            process_tree.kill_until_none(self.child, self.strays())
        self.read_rest(output)

    def watch(self, wake: int, output: int, mark: int) -> None:
        """Follow the program until its launcher has ended."""
        poller = select.poll()
        for fd in (wake, output, mark):
            poller.register(fd, select.POLLIN)
        while self.status is None:
            ready = {fd for fd, _ in poller.poll(self.patience())}
            if mark in ready:
                poller.unregister(mark)
                self.take_mark(mark)
            if output in ready and not self.take_output(output):
                poller.unregister(output)
            self.obey(wake)
            self.look()
            self.status = self.reap()

    def start(self) -> tuple[int, int]:
        """Start the launcher; descriptors of the program's output and of the launcher's mark."""
        read_end, write_end = os.pipe()
        os.dup2(write_end, MARK_FD, inheritable=True)
        os.close(write_end)
        if not self.plan.pid_namespace:  # strays become our children instead of vanishing to init
            prctl(PR_SET_CHILD_SUBREAPER, 1)
        output, output_end = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            become_launcher(self.plan, output_end)
        os.close(MARK_FD)
        os.close(output_end)
        try:
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:  # the node allows this user no more
            pass
        os.set_blocking(output, False)
        return output, read_end

    def reap(self) -> int | None:
        """Let everybody go who has ended: who lost its parent is ours. The launcher's exit status once it is among them;
        negative for a signal.
        """
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == self.child:
                found = os.waitstatus_to_exitcode(status)

    def take_mark(self, mark: int) -> None:
        """Note that the program was reached; no byte came when the launcher failed before."""
        if os.read(mark, 1):
            write_fields("started", [("at", str(time.time()))])
            self.launched = True

    def take_output(self, output: int) -> bool:
        """Move what is there to the log. False: there will never be more."""
        try:
            data = os.read(output, PIPE_BYTES)
        except BlockingIOError:
            return True
        if self.launched:
            self.log.write(data)
        else:  # the launcher speaks; the log is the program's
            self.launch_output = (self.launch_output + data)[-LAUNCH_BYTES:]
        return bool(data)

    def read_rest(self, output: int) -> None:
        """The end of the output: everybody who could write is dead or dying."""
        poller = select.poll()
        poller.register(output, select.POLLIN)
        until = time.monotonic() + LAST_WORDS
        while poller.poll(max(0.0, until - time.monotonic()) * 1000):
            if not self.take_output(output):
                return

    def obey(self, wake: int) -> None:
        """Do what signals asked for."""
        try:
            numbers = os.read(wake, 64)
        except BlockingIOError:
            return
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGQUIT):
                self.end("stopped", gently=number == signal.SIGTERM)

    def look(self) -> None:
        """Compare what the program uses with what it may use."""
        now = time.monotonic()
        wall_clock = self.plan.wall_clock
        if wall_clock is not None and now - self.begin >= wall_clock:
            self.end("wall_clock", gently=True)
        if self.kill_at is not None and now >= self.kill_at:
            process_tree.kill_tree(self.child, self.strays())
        if now >= self.look_at:
            limited = self.plan.memory or self.plan.processes
            self.pause = min(self.pause * 2, LIMITED_LOOK if limited else LAST_LOOK)
            self.look_at = now + self.pause
            self.measure(now)

    def measure(self, now: float) -> None:
        """End the program when it uses too much of something."""
        self.use.measure(os.getpid())
        cause = find_excess(self.use, self.plan)
        if not cause and self.plan.disk and now >= self.disk_at and self.measure_disk() > self.plan.disk:
            cause = "disk_full"
        if cause:
            self.end(cause, gently=False)

    def measure_disk(self) -> float:
        """Bytes the program has written. The longer it takes to find that out, the later it is done again."""
        begin = time.monotonic()
        folders = self.plan.disk_folders
        used = sum(process_tree.measure_folder(folder) for folder in folders)
        used += process_tree.measure_unlinked(os.getpid(), folders)
        if used == process_tree.UNKNOWN:
            self.detail = "A folder is closed to the worker or lies too deep, so that what it takes is not known."
        end = time.monotonic()
        self.disk_at = end + max(DISK_LOOK, end - begin)
        return used

    def end(self, cause: str, gently: bool) -> None:
        """Begin to end the program; the first cause is the one that counts."""
        self.cause = self.cause or cause
        if not gently:
            self.kill_at = time.monotonic()
            process_tree.kill_tree(self.child, self.strays())
        elif self.kill_at is None:
            self.kill_at = time.monotonic() + self.plan.grace
            for pid in process_tree.list_program(os.getpid(), self.plan.pid_namespace):
                process_tree.send(pid, signal.SIGTERM)

    def strays(self) -> int | None:
        """The user whose every process belongs to this box, where no pid namespace holds them together."""
        return None if self.plan.pid_namespace else self.plan.uid

    def patience(self) -> float:
        """Milliseconds until something has to be looked at."""
        times = [self.look_at]
        if self.kill_at is not None:
            times.append(max(self.kill_at, time.monotonic() + 0.01))
        if self.plan.wall_clock is not None and self.kill_at is None:
            times.append(self.begin + self.plan.wall_clock)
        return max(0.0, min(times) - time.monotonic()) * 1000 + 0.5

    def write_exit(self) -> None:
        """Say how it ended."""
        self.log.close()
        if not self.launched and not self.cause:
            said = self.launch_output.decode("utf-8", "replace").strip()
            self.cause, self.detail = "node_error", f"The box could not be started: {said or 'no reason was given.'}"
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        facts = [
            ("cause", self.cause),
            ("detail", self.detail),
            ("wall_seconds", str(time.monotonic() - self.begin)),
            ("cpu_seconds", str(max(self.use.cpu_seconds, usage.ru_utime + usage.ru_stime))),
            ("peak_memory", str(max(self.use.peak_memory, usage.ru_maxrss * 1024))),
        ]
        write_fields("exit", facts if self.status is None else [("status", str(self.status)), *facts])


def find_excess(use: process_tree.Use, plan: Plan) -> str:
    """The limit that is passed, as an EndReason, or an empty text."""
    if plan.memory and use.memory > plan.memory:
        use.share_memory(os.getpid())
        if use.memory > plan.memory:
            return "out_of_memory"
    if plan.processes and use.tasks >= plan.processes:
        return "too_many_processes"
    return ""


def become_launcher(plan: Plan, output: int) -> None:
    """In the forked child: set what the program inherits, and become its launcher."""
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if plan.processes and (plan.uid is not None or plan.pid_namespace):
            # The kernel counts for each user (and user namespace); where the box has none of its own, only `look` counts.
            resource.setrlimit(resource.RLIMIT_NPROC, (plan.processes, plan.processes))
        if not plan.pid_namespace:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("500")  # when the machine runs out of memory, the program goes first
        os.execvpe(plan.argv[0], plan.argv, plan.environment)  # noqa: S606  an argv, no shell
    except OSError as error:
        os.write(2, f"{plan.argv[0]}: {error}".encode())
    finally:
        os._exit(127)


def prctl(option: int, value: int) -> None:
    """See prctl(2)."""
    import ctypes  # here, because the confinements that are used most do without

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def listen_for_signals() -> int:
    """A descriptor from which the numbers of the signals that came can be read."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    # Handlers that do nothing, and not SIG_IGN, which the program would inherit.
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return read_end
