"""The read-only folder every box has on its PYTHONPATH: the SDK, what makes it win, the program of `score`
and the keeper of boxes that are containers."""

from __future__ import annotations

import secrets
from pathlib import Path

from blake3 import blake3

from nsml import _contract
from nsml_worker import box_keeper, box_site, box_tensorflow, score

SCORE_FILE, KEEPER_FILE = "nsml_score.py", "nsml_keeper.py"
TENSORFLOW_FILE = "nsml_tensorflow.py"  # imported by box_site


def write_sdk(folder: Path) -> Path:
    """The folder below `folder` that holds what this worker's version puts into boxes. Named by its content: boxes of an
    earlier version go on with theirs.
    """
    files = collect_files()
    digest = blake3()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    target = folder / digest.hexdigest()[:16]
    if not target.exists():
        _write(folder / f".{secrets.token_hex(8)}", files).rename(target)
    return target


def collect_files() -> dict[str, bytes]:
    """Relative path → content."""
    sdk = Path(_contract.__file__).parent
    files = {f"nsml/{path.relative_to(sdk)}": path.read_bytes() for path in sdk.rglob("*.py")}
    files["sitecustomize.py"] = Path(box_site.__file__).read_bytes()
    files[KEEPER_FILE] = Path(box_keeper.__file__).read_bytes()
    files[TENSORFLOW_FILE] = Path(box_tensorflow.__file__).read_bytes()
    files[SCORE_FILE] = Path(score.__file__).read_bytes()
    return files


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)
    for path in (folder.parent, folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o755)
    return folder
