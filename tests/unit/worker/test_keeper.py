"""The keeper of a container's program, as far as it can be tried outside a container."""

import ast
import subprocess
import sys
from pathlib import Path

from nsml_worker import box_keeper

SOURCE = Path(box_keeper.__file__)


def test_it_runs_on_the_oldest_python_an_image_may_have() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 6))
    assert "from __future__ import annotations" not in SOURCE.read_text()


def test_it_refuses_to_work_anywhere_but_in_a_box() -> None:
    """It ends every process it may."""
    done = subprocess.run([sys.executable, SOURCE, "100", "--", "true"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "under the init of a box" in done.stderr


def test_a_disk_with_room_wants_nothing(tmp_path: Path) -> None:
    assert box_keeper.find_want(str(tmp_path)) == ""


def test_numbers_of_the_cgroup_are_found_in_either_version_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    (tmp_path / "new").write_text("low 0\noom 1\noom_kill 2\n")
    (tmp_path / "single").write_text("4096\n")
    old, new = ((str(tmp_path / name), "oom_kill") for name in ("old", "new"))
    assert read([old]) == 3
    assert read([new]) == 2
    assert read([(str(tmp_path / "missing"), "max"), new]) == 2
    assert read([(str(tmp_path / "single"), "")]) == 4096
    assert read([(str(tmp_path / "missing"), "")]) == 0


def read(places: list[tuple[str, str]]) -> int:
    """Absolute paths: what stands before them falls away."""
    relative = [(f"../../..{path}", label) for path, label in places]
    return box_keeper.read_number(relative)
