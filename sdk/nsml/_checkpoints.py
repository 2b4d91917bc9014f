"""Checkpoints in the box: written in a folder of their own, sealed by one rename, found again by their name.

A sealed folder is `<digest of the name>.<clock>-<random>`, so that any process of the session finds the newest checkpoint
of a name without an index. Nothing is flushed to the disk here: a killed process loses no page of the kernel, and the
training would wait. Against a machine that loses its power the SAVE line carries the number of files and bytes: a folder
that disagrees with them is not whole.
"""

import errno
import os
import time

from nsml import _contract
from nsml.errors import InvalidName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

# What Python and the frameworks say when a path is not there, or a folder where they want to read a file.
_UNREADABLE = (
    "is a directory",
    "errno = 21",
    "no such file",
    "not found",
    "failed to find",
    "couldn't find",
    "does not exist",
    "doesn't exist",
    "not a valid checkpoint",
    "cannot be opened",
    "unable to open",
    "format not supported",
    "unknown model format",
)
_PATH_ERRNOS = frozenset([errno.EISDIR, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY])


def check_name(given: "Any") -> str:
    """The name a checkpoint is kept under: the text of `given`, or the time when it is None.

    The server's rules, told here so that the training hears of it at once. A name is no path: `a/b` is refused, although
    NSML's object store may have taken it.

    Raises:
        InvalidName: it is empty, too long, has an invisible character or outer blanks, or could be taken for a path.
    """
    name = time.strftime("%Y%m%d-%H%M%S") if given is None else str(given)
    problem = _find_problem(name)
    if problem:
        text = "The checkpoint name {!a} {}; use a short plain name, e.g. nsml.save('best') or nsml.save(epoch)."
        raise InvalidName(text.format(name[: _contract.MAX_CHECKPOINT_NAME], problem))
    return name


def _find_problem(name: str) -> str:
    if not name:
        return "is empty"
    if len(name) > _contract.MAX_CHECKPOINT_NAME:
        return "has {} characters, more than {}".format(len(name), _contract.MAX_CHECKPOINT_NAME)
    if not name.isprintable():
        return "contains a character that cannot be seen"
    if "/" in name or "\\" in name or name in (".", ".."):
        return "could be taken for a path"
    return "begins or ends with a blank" if name != name.strip() else ""


def write(root: str, name: str, callback: "Callable[[str], Any]") -> str:
    """Let `callback` write a checkpoint below `root` and seal it. Returns the sealed folder's name.

    The callback gets an existing empty folder first (NSML from 2019 on); when it raises and has put nothing there, everything
    is wiped and it gets the same path with nothing there (NSML of 2018). Whatever it raises at last leaves no trace.
    """
    mark = os.urandom(6).hex()
    unsealed = os.path.join(root, _contract.UNSEALED + mark)
    try:
        _write_by_either_rule(unsealed, callback)
        sealed = "{}.{:016d}-{}".format(_digest(name), int(time.monotonic() * 1000000), mark)
        os.rename(unsealed, os.path.join(root, sealed))
    except BaseException:
        _remove(unsealed)
        raise
    return sealed


def _write_by_either_rule(folder: str, callback: "Callable[[str], Any]") -> None:
    path = os.path.join(folder, _contract.MODEL)
    os.makedirs(path)
    try:
        callback(path)
    except Exception as first:
        if not os.path.isdir(path) or os.listdir(path):
            raise
        _remove(folder)
        os.makedirs(folder)
        try:
            callback(path)
        except Exception as second:
            # The rule it was made for is the one by which it wrote something.
            raise (second if os.listdir(folder) else first) from None


def read(folder: str, callback: "Callable[[str], Any]") -> None:
    """Let `callback` load the checkpoint in `folder`: from the path that was saved to, as it was left there.

    When the callback cannot use that path it gets the single file that was saved (NSML of 2018), and at last what a saver of
    the other years was given: the folder around the path, or the name `model` within it. TensorFlow's savers take a path
    for the beginning of several files' names, so that both exist with no file there.
    """
    path, *others = _list_paths(folder)
    try:
        callback(path)
    except Exception as error:
        if not _is_about(path, error) or not any(_is_readable(other, callback) for other in others):
            raise


def _is_readable(path: str, callback: "Callable[[str], Any]") -> bool:
    try:
        callback(path)
    except Exception as error:
        if _is_about(path, error):
            return False
        raise
    return True


def _list_paths(folder: str) -> "List[str]":
    path = os.path.join(folder, _contract.MODEL)
    single = _find_single_file(path) or _find_single_file(folder)
    paths = [path] if single is None or single == path else [path, single]
    is_used = os.path.isdir(path) and os.listdir(path)
    return [*paths, os.path.join(path, _contract.MODEL) if is_used else folder]


def find(root: str, name: "Optional[str]") -> "Optional[str]":
    """The newest sealed folder of this name, or of all for None; None when there is none."""
    try:
        entries = [entry for entry in os.listdir(root) if not entry.startswith(_contract.UNSEALED)]
    except OSError:
        return None
    prefix = "" if name is None else _digest(name) + "."
    found = [entry for entry in entries if entry.startswith(prefix) and "." in entry]
    if not found:
        return None
    return os.path.join(root, max(found, key=lambda entry: entry.split(".", 1)[1]))


def measure(folder: str) -> "Tuple[int, int]":
    """Number of regular files below `folder` and the sum of their bytes. Links are not followed."""
    count = size = 0
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            inner = measure(entry.path)
            count, size = count + inner[0], size + inner[1]
        elif entry.is_file(follow_symlinks=False):
            count, size = count + 1, size + entry.stat(follow_symlinks=False).st_size
    return count, size


def _is_about(path: str, error: Exception) -> bool:
    """Whether `error` complains of `path` itself and not of what is read there."""
    if isinstance(error, OSError) and error.errno is not None:
        named = error.filename2 or error.filename
        return error.errno in _PATH_ERRNOS and (named is None or str(named).startswith(path))
    message = str(error).lower()
    return any(text in message for text in _UNREADABLE)


def _find_single_file(path: str) -> "Optional[str]":
    files = []
    for folder, _, names in os.walk(path):
        files += [os.path.join(folder, name) for name in names]
        if len(files) > 1:
            return None
    return files[0] if files else None


def _digest(name: str) -> str:
    import hashlib

    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
