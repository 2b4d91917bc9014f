"""How a box is sealed: a ladder of launchers, strongest first.

Each is a pure function from a Plan to the words that stand before the program in its command line. Which of them works on a
node is found out by trying: see `probing.choose_confinement`.

    bubblewrap   own root, pid, ipc and no network; as root additionally a user of its own
    namespace    the same by util-linux alone; needs root
    user         a user of its own on the node's own file system; needs root
    none         nothing: only for people you trust
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

# The last launcher of every kind: goes to the folder, tells the supervisor that the program is reached, and becomes it.
REACH = 'cd -- "$1" || exit 125; shift; printf . >&9; exec 9>&- "$@"'

# Builds a root from triples KIND SOURCE TARGET, goes there, and stays as the init that collects orphans.
ENCLOSE = r"""
root=$1 shm=$2; shift 2
mount -t tmpfs -o mode=755,size=4m,nosuid,nodev nsml "$root"
while [ "$1" != -- ]; do
  target=$root$3
  mkdir -p "${target%/*}"
  case $1 in
    link) ln -s "$2" "$target" ;;
    *) if [ -d "$2" ]; then mkdir -p "$target"; else : > "$target"; fi ;;
  esac
  case $1 in
    read) mount -o bind,ro,nosuid,nodev "$2" "$target" ;;
    write) mount -o bind,nosuid,nodev "$2" "$target" ;;
    device) mount -o bind,nosuid "$2" "$target" ;;
  esac
  shift 3
done
shift
mkdir -p "$root/proc" "$root/dev/shm"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o "mode=1777,nosuid,nodev$shm" shm "$root/dev/shm"
for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "/proc/self/${name#*:}" "$root/dev/${name%%:*}"; done
ip link set lo up 2> /dev/null || true
mount -o remount,ro "$root"
set +e
exec 3>&2 2> /dev/null  # what a shell says about a killed child is not the program's output
(exec "$@" 2>&3 3>&-)
exit $?
"""

PLAIN_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


@dataclass(frozen=True)
class Bind:
    """A path of the node that the program sees. `kind` is read, write, device or link (then `source` is its text)."""

    source: str
    target: str
    kind: str = "read"


@dataclass(frozen=True)
class Plan:
    """What a launcher needs to know. Paths are absolute; `cwd` is as the program sees it."""

    binds: tuple[Bind, ...]
    cwd: str
    root: str  #: an empty folder that may become the program's root
    uid: int | None  #: the user (and group) to become; None: stay who we are
    shm: int | None = None  #: bytes of /dev/shm
    network: bool = False  #: the node's own network, for pip; programs have none


@dataclass(frozen=True)
class Confinement:
    """One rung of the ladder."""

    name: str
    mounts: bool  #: the program sees /app, /data and /nsml; otherwise the real paths
    pid_namespace: bool  #: when its init ends, everything in the box ends
    needs_root: bool
    launch: Callable[[Plan], list[str]]


def launch_bubblewrap(plan: Plan) -> list[str]:
    """As root the binds are made as root, and setpriv drops to the box's user inside."""
    words = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    words += [] if plan.network else ["--unshare-net"]
    words += ["--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", *_limit_size(plan.shm), "--tmpfs", "/dev/shm"]  # noqa: S108  the box's own
    made: set[str] = set()
    for bind in plan.binds:
        for folder in list_parents([bind]):
            if folder not in made:  # bubblewrap would make it for its own user only
                words += ["--perms", "0755", "--dir", folder]
                made.add(folder)
        words += [_BUBBLEWRAP_WORDS[bind.kind], bind.source, bind.target]
    words += ["--remount-ro", "/", "--cap-drop", "ALL"]
    if plan.uid is None:
        return [*words, "--unshare-user", "--", *_reach(plan)]
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        words += ["--cap-add", capability]
    return [*words, "--", *_drop(plan.uid), *_reach(plan)]


def launch_namespace(plan: Plan) -> list[str]:
    """util-linux makes the namespaces, a shell the root, chroot enters it, setpriv drops to the box's user.

    Outside of them stands a process that ends with whoever started it, and takes the init of the box with it.
    """
    words = ["setpriv", "--pdeathsig", "KILL", "--"]
    words += ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL"]
    words += [] if plan.network else ["--net"]
    words += ["--propagation", "private", "--", "/bin/sh", "-ec", ENCLOSE, "sh", plan.root]
    words.append("" if plan.shm is None else f",size={plan.shm}")
    for bind in (*plan.binds, *(Bind(f"/dev/{name}", f"/dev/{name}", "device") for name in PLAIN_DEVICES)):
        words += [bind.kind, bind.source, bind.target]
    return [*words, "--", "chroot", plan.root, *_drop(plan.uid), *_reach(plan)]


def launch_user(plan: Plan) -> list[str]:
    """Only another user."""
    return [*_drop(plan.uid, "--pdeathsig", "KILL"), *_reach(plan)]


def launch_none(plan: Plan) -> list[str]:
    """Nothing at all."""
    return _reach(plan)


LADDER = (
    Confinement("bubblewrap", mounts=True, pid_namespace=True, needs_root=False, launch=launch_bubblewrap),
    Confinement("namespace", mounts=True, pid_namespace=True, needs_root=True, launch=launch_namespace),
    Confinement("user", mounts=False, pid_namespace=False, needs_root=True, launch=launch_user),
    Confinement("none", mounts=False, pid_namespace=False, needs_root=False, launch=launch_none),
)

_BUBBLEWRAP_WORDS = {"read": "--ro-bind", "write": "--bind", "device": "--dev-bind", "link": "--symlink"}


def rungs(wanted: str, is_root: bool) -> Iterator[Confinement]:
    """The confinements to try, in order. `wanted` is a name, or auto for all that this user may use."""
    for confinement in LADDER:
        if wanted in ("auto", confinement.name) and (is_root or not confinement.needs_root):
            yield confinement


def list_parents(binds: Iterable[Bind]) -> list[str]:
    """The folders in which targets lie, each after its own."""
    parents = {str(parent) for bind in binds for parent in PurePosixPath(bind.target).parents}
    return sorted(parents - {"/"})


def _limit_size(size: int | None) -> list[str]:
    return [] if size is None else ["--size", str(size)]


def _drop(uid: int | None, *more: str) -> list[str]:
    if uid is None:
        return []
    user = ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return ["setpriv", *user, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *more]


def _reach(plan: Plan) -> list[str]:
    return ["/bin/sh", "-c", REACH, "sh", plan.cwd]
