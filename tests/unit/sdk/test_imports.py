"""What `import nsml` costs and pulls in, on every Python from 3.6."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SDK = Path(__file__).parents[3] / "sdk"
#: Everything that may be imported with the package: nothing that Python has not loaded by itself, or next to nothing.
ALLOWED = {"errno", "os", "sys", "time"}
#: Parts of the package loaded only by a program that uses them, and what each may import at its top.
LAZY = {
    "_console": {"base64", "json", "os", "socket"},
    "_copies": {"os"},
    "_lines": {"json", "os", "socket", "stat", "time"},
    "_prediction": {"os", "sys"},
    "_savers": {"os", "pickle", "sys"},
    "_scopes": {"ast", "io", "sys", "threading", "traceback"},
    "_serving": {"sys"},
    "_visdom": set(),
}
PUBLIC = [
    "DATASET_NAME", "DATASET_PATH", "GPU_NUM", "HAS_DATASET", "IS_DATASET", "IS_ON_NSML", "MY_RANK", "NSML_NFS_OUTPUT",
    "PARALLEL_PORTS", "PARALLEL_WORLD", "SESSION_ID", "SESSION_NAME", "Visdom", "bind", "cache", "copy", "decoder", "encoder",
    "infer", "load", "paused", "report", "save",
]  # fmt: skip
REQUIRED = ("3.6", "3.8", "3.11", "3.13")

SMOKE = """
import os, pickle, sys, threading
import nsml
from nsml.constants import DATASET_PATH

def save(path, **kwargs):
    pickle.dump({'a': kwargs['real']}, open(os.path.join(path, 'vocabulary'), 'wb'))

def load(path):
    print(pickle.load(open(os.path.join(path, 'vocabulary'), 'rb')))

nsml.bind(save, load, lambda rows: [(0.5, row) for row in rows], real='\\uac00')
threads = [threading.Thread(target=nsml.report, kwargs={'step': n, 'train__loss': n / 3}) for n in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
nsml.save('\\ubaa8\\ub378')
nsml.load('\\ubaa8\\ub378')
nsml.paused(scope=locals())
assert nsml.infer(['x']) == [(0.5, 'x')]
"""


def find_interpreters() -> dict[str, str]:
    """Every Python 3 there is: pyenv's by version, then those on PATH."""
    pyenv = Path.home() / ".pyenv" / "versions"
    found = {".".join(path.parts[-3].split(".")[:2]): str(path) for path in sorted(pyenv.glob("3.*/bin/python"))}
    for minor in range(6, 16):
        path = shutil.which(f"python3.{minor}")
        if path and "shims" not in path:
            found.setdefault(f"3.{minor}", path)
    return found


def list_versions() -> list[str]:
    """Those found; on CI also the required ones where pyenv could have them, so that they are missed."""
    required = REQUIRED if os.environ.get("CI") == "true" and (Path.home() / ".pyenv").is_dir() else ()
    return sorted({*find_interpreters(), *required}, key=lambda version: int(version[2:]))


def import_bare(python: str, code: str) -> str:
    environment = {"PYTHONPATH": str(SDK), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [python, "-S", "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize("version", list_versions())
def test_a_program_reports_saves_and_loads_on_each_python(make_box: Any, version: str) -> None:
    box = make_box(python=find_interpreters()[version])
    assert box.run(SMOKE).stdout == "{'a': '가'}\n"
    assert sorted(line["step"] for line in box.read_journal("report")) == list(range(20))
    assert list(box.list_checkpoints()) == ["모델"]


@pytest.mark.parametrize("version", list_versions())
def test_a_submit_predicts_on_each_python(make_box: Any, version: str) -> None:
    box = make_box(python=find_interpreters()[version])
    box.run(SMOKE)
    box.prepare_submit("모델")
    box.write_loader("def test_data_loader(root): return ['첫째', '둘째']")
    assert box.run(SMOKE.replace("nsml.load(", "(").replace("nsml.save(", "(")).stdout == "Paused.\n{'a': '가'}\n"
    assert box.prediction.read_text(encoding="utf-8") == "첫째\n둘째\n"


@pytest.mark.parametrize("version", list_versions())
def test_importing_pulls_in_nothing_but_these_modules(version: str) -> None:
    code = "import sys; before = set(sys.modules); import nsml; print(*(set(sys.modules) - before))"
    pulled = set(import_bare(find_interpreters()[version], code).split())
    ours = {name for name in pulled if name.split(".")[0] == "nsml"}
    behind_os = set(
        import_bare(find_interpreters()[version], "import os, errno, time, sys; print(*sys.modules)").split()
    )
    assert pulled - ours <= behind_os
    modules = {path.stem for path in (SDK / "nsml").glob("*.py")} - {"__init__"} - set(LAZY)
    assert ours == {"nsml"} | {f"nsml.{name}" for name in modules}


def test_the_modules_imported_at_the_top_are_this_short_list() -> None:
    for path in (SDK / "nsml").glob("*.py"):
        imported = set()
        for node in ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6)).body:
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).split(".")[0])
        assert imported - {"nsml"} <= LAZY.get(path.stem, ALLOWED), path.name


def test_the_public_names_are_this_list_and_a_star_brings_them() -> None:
    out = import_bare(sys.executable, "from nsml import *; print(*sorted(name for name in dir() if name[0] != '_'))")
    assert out.split() == PUBLIC


def test_the_version_is_a_literal_line_for_packaging() -> None:
    assert re.search(r'^__version__ = "\d+\.\d+\.\d+"$', (SDK / "nsml" / "__init__.py").read_text(), re.MULTILINE)


def test_the_constants_tell_the_session(box: Any) -> None:
    program = """
import nsml, nsml.constants as c
assert (c.IS_ON_NSML, c.HAS_DATASET, c.IS_DATASET, c.GPU_NUM) == (True, True, True, 0)
assert (nsml.SESSION_NAME, nsml.DATASET_NAME, nsml.NSML_NFS_OUTPUT) == ('alice/kin/7', 'kin', '')
print(nsml.DATASET_PATH)
"""
    assert box.run(program).stdout == f"{box.root}/data/kin\n"


def test_off_the_platform_the_constants_are_empty(make_box: Any) -> None:
    program = "import nsml\nprint([getattr(nsml, name) for name in nsml.__all__ if name.isupper()])"
    assert make_box(off_platform=True).run(program).stdout == (
        "['', '', 0, False, False, False, 0, '', [29500], ['127.0.0.1'], '', '']\n"
    )


def test_importing_costs_less_than_30_milliseconds() -> None:
    code = "import time; before = time.process_time(); import nsml; print(time.process_time() - before)"
    assert min(float(import_bare(sys.executable, code)) for _ in range(5)) < 0.03


def test_a_distributed_run_tells_its_nodes(box: Any) -> None:
    box.variables = {
        "NSML_PARALLEL_WORLD": "10.0.0.1,10.0.0.2",
        "NSML_PARALLEL_PORTS": "29500,29501",
        "NSML_MY_RANK": "1",
        "NSML_NFS_OUTPUT": "/nfs",
    }
    program = "from nsml import *\nprint(PARALLEL_WORLD, PARALLEL_PORTS, MY_RANK, SESSION_ID, NSML_NFS_OUTPUT)"
    expected = "['10.0.0.1', '10.0.0.2'] [29500, 29501] 1 7 /nfs\n"
    assert box.run(program).stdout == expected


def test_the_names_of_every_year_are_importable(box: Any) -> None:
    box.run(
        """
        import nsml, nsml.encoder, nsml.decoder
        from nsml.constants import DATASET_PATH, GPU_NUM, HAS_DATASET, IS_DATASET, SESSION_ID, SESSION_NAME
        from nsml.encoder import encoder
        from nsml.decoder import decoder
        assert (encoder, decoder, nsml.encoder.encoder) == (None, None, None)
        assert (int(GPU_NUM), SESSION_ID, SESSION_NAME) == (0, '7', 'alice/kin/7')
        """
    )
