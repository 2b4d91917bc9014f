"""Boxes made of processes, sealed by what the node offers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

import structlog

from nsml_worker import process_tree
from nsml_worker.box import LOCK, PLAN, STARTED, Box, BoxId, find_boxes, remove_rest
from nsml_worker.box_plan import FETCHED, Layout, make_plan
from nsml_worker.box_users import find_free_user
from nsml_worker.cancellation import Cancellation
from nsml_worker.confinement import Confinement
from nsml_worker.contract import Environment, Mount, RunSpec
from nsml_worker.environments import Environments
from nsml_worker.errors import BoxFailed, ImageMissing
from nsml_worker.fields import write_fields
from nsml_worker.gauge import Spent
from nsml_worker.interpreter import Interpreter
from nsml_worker.materialise import Blobs, check_path, lay_out
from nsml_worker.runner import Tell, keep_quiet
from nsml_worker.runtimes import DEFAULT
from nsml_worker.streaming import Watch

COMPLAINTS = "complaints"
SUPERVISE = "import sys; sys.path.insert(0, sys.argv[1]); from nsml_worker.supervisor import main; main(sys.argv[2])"
GRACE = 10.0  # seconds

log = structlog.get_logger()


class ProcessRunner:
    """Runner with processes. Each box has a supervisor, a process that outlives the worker."""

    name = "process"
    holds: tuple[str, ...] = ()

    def __init__(
        self,
        boxes: Path,
        sdk: Path,
        images: dict[str, Interpreter],
        confinement: Confinement,
        grace: float = GRACE,
        environments: Environments | None = None,
    ) -> None:
        """`grace`: seconds a program has between being asked to stop and being killed.

        `environments`: None for those in a folder beside the boxes.
        """
        self._boxes = boxes
        self._sdk = sdk
        self._images = images
        self._confinement = confinement
        self._grace = grace
        self._environments = environments or Environments(boxes.parent / "environments", boxes, confinement)
        self._lock = threading.Lock()
        self._supervisors: dict[BoxId, int] = {}  # process ids of our children
        self._uses: dict[BoxId, process_tree.Use] = {}
        self._preparing: dict[BoxId, Cancellation] = {}  # boxes for which packages may be being installed
        boxes.mkdir(mode=0o711, parents=True, exist_ok=True)

    @property
    def confinement(self) -> str:
        """See Runner."""
        return self._confinement.name

    @property
    def images(self) -> tuple[str, ...]:
        """See Runner."""
        return tuple(sorted(self._images))

    def find(self, spec: RunSpec, token: str) -> Box:
        """See Runner."""
        return Box(self._boxes / str(BoxId(spec.run_id, spec.attempt)), spec, token)

    def prepare(self, box: Box, blobs: Blobs, tell: Tell = keep_quiet) -> None:
        """See Runner."""
        box.empty()
        wanted, default = box.spec.environment_of or Environment(), self._default(box.spec)
        cancellation = self._preparing[box.id] = Cancellation()
        try:
            self._environments.prepare(wanted, default, box.folder, tell, cancellation)
        finally:
            del self._preparing[box.id]
        uid = self._make_user_folders(box)
        for mount in box.spec.mounts:
            target = self._place(box, mount)
            lay_out(mount.tree, target, blobs, writable=mount.writable, uid=uid)
            if mount.target == "/app":
                target.chmod(0o700)

    def start(self, box: Box) -> None:
        """See Runner."""
        interpreter = self._environments.find(box.folder)
        plan = make_plan(box.spec, self._layout(box), self._confinement, interpreter)
        write_fields(str(box.folder / PLAN), plan)
        self._supervise(box)
        watch = self.watch(box)
        try:
            while not (box.folder / STARTED).exists():
                end = watch.exit()
                if end is not None:
                    raise BoxFailed(end.detail + self._read_complaints(box))
                watch.wait()
        finally:
            watch.close()

    def name_fetched(self, box: Box) -> str:
        """See Runner."""
        return FETCHED if self._confinement.mounts else str(box.fetched)

    def watch(self, box: Box) -> Watch:
        """See Runner."""
        return Watch(box, self._supervisors.get(box.id) or box.supervisor(), box.is_supervised)

    def measure(self, box: Box) -> Spent | None:
        """See Runner. Pages that several processes share count for each of them."""
        supervisor = box.supervisor()
        if supervisor is None or box.has_ended or not box.is_supervised():
            self._uses.pop(box.id, None)
            return None
        use = self._uses.setdefault(box.id, process_tree.Use())
        use.measure(supervisor)
        return Spent(use.memory, use.cpu_seconds)

    def stop(self, box: Box, at_once: bool = False) -> None:
        """See Runner. What is installed for a box is broken off. A box of which the supervisor is only just starting is not
        reached; ask again.
        """
        preparing = self._preparing.get(box.id)
        if preparing is not None:
            preparing.cancel()
        pid = box.supervisor()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                if box.is_supervised():  # so the process behind the descriptor is the supervisor, and no later one
                    signal.pidfd_send_signal(fd, signal.SIGQUIT if at_once else signal.SIGTERM)
            finally:
                os.close(fd)

    def clean(self, box: Box) -> None:
        """See Runner."""
        supervisor = self._supervisors.pop(box.id, None)
        if supervisor is not None:
            os.waitpid(supervisor, 0)
        self._uses.pop(box.id, None)
        box.remove()

    def reattach(self) -> list[Box]:
        """See Runner. What is left of boxes that were being removed goes, and its user is free again."""
        found = find_boxes(self._boxes)
        for rest in found.rests:
            remove_rest(self._boxes / str(rest))
            log.info("rest_removed", box=str(rest))
        return list(found.boxes)

    def close(self) -> None:
        """See Runner. The supervisors hold the boxes."""

    def _default(self, spec: RunSpec) -> Interpreter:
        """The Python of a spec that names none: its runtime's; without an environment, what the node calls its image."""
        wanted = spec.environment_of
        name = spec.image if wanted is None else wanted.runtime or DEFAULT
        try:
            return self._images[name]
        except KeyError:
            raise ImageMissing(f"this node has no {name!r}; it has {', '.join(self.images)}") from None

    def _make_user_folders(self, box: Box) -> int | None:
        """The folders a program may write to, and the user they belong to: None where it stays the worker's."""
        with self._lock:
            uid = find_free_user(self._boxes) if os.geteuid() == 0 and self._confinement.name != "none" else None
            for folder in (box.app, box.home, box.home / "out", box.home / "checkpoints", box.scratch):
                folder.mkdir(mode=0o700)
                if uid is not None:
                    os.chown(folder, uid, uid)
        (box.folder / "root").mkdir()
        (box.folder / "views").mkdir(mode=0o711)
        box.fetched.mkdir(mode=0o711)
        if uid is not None:  # sticky: what the worker puts there, the program cannot take away or replace
            os.chown(box.home, os.geteuid(), uid)
            box.home.chmod(0o1770)
        return uid

    def _place(self, box: Box, mount: Mount) -> Path:
        """Where a mount's files are laid out."""
        relative = check_path(mount.target.lstrip("/"))
        if mount.target == "/app":
            return box.app
        if relative.parts[0] == "nsml":
            return box.home.joinpath(*relative.parts[1:])
        hidden = box.folder / "views" / secrets.token_hex(16)
        hidden.mkdir(mode=0o711)
        return hidden / relative.name

    def _layout(self, box: Box) -> Layout:
        """Find again what prepare laid out."""
        views = {folder.name: folder for folder in (box.folder / "views").glob("*/*")}
        places: dict[str, Path] = {}
        for mount in box.spec.mounts:
            name = mount.target.rsplit("/", 1)[1]
            places[mount.target] = views[name] if name in views else self._place(box, mount)
        owner = box.app.stat().st_uid
        return Layout(box, places, self._sdk, grace=self._grace, uid=owner if owner != os.geteuid() else None)

    def _supervise(self, box: Box) -> None:
        """Start the supervisor. It holds the lock as its standard input, for as long as it lives."""
        package = Path(__file__).resolve().parent.parent
        lock = os.open(box.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._supervisors[box.id] = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", SUPERVISE, str(package), str(box.folder)],
                {},
                file_actions=(
                    (os.POSIX_SPAWN_DUP2, lock, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, str(box.folder / COMPLAINTS), os.O_WRONLY | os.O_CREAT, 0o600),
                ),
                setsid=True,
                setsigdef=(signal.SIGPIPE,),
                setsigmask=(),
            )
        finally:
            os.close(lock)

    def _read_complaints(self, box: Box) -> str:
        said = (box.folder / COMPLAINTS).read_text(errors="replace").strip()
        return f" {said[-2000:]}" if said else ""
