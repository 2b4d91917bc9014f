"""Sample participants are data: a folder with a program and `expect.toml`. All run on one platform, at the same time.

`cases` hold programs that go wrong, or try to cheat; `nsml` holds one convention of 2017 to 2022 each. What an expect.toml may
say stands in conftest.py.
"""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CASES = sorted(path.parent for folder in ("cases", "nsml") for path in (HERE / folder).glob("*/expect.toml"))

#: An evaluation that never ends must not hold up the others' tests.
SETTINGS = {"NSML_SCORE_LIMIT": "20"}

# Every signature of a callback that a public program of those years has.
SAVE_OR_LOAD = (
    "filename, *args", "dir_name, *args", "dir_name", "dir_name, *args, **kwargs", "path, *args, **kwargs", "path, **kwargs",
    "dir_path, **kwargs", "dirname, *args", "save_folder, **kwargs", "dir_name, *parser", "filename, **kwargs", "file_name, *args",
)  # fmt: skip
LOAD = ("file_path", "dir_path", "dirname, **kwargs")
INFER = (
    "raw_data, **kwargs", "input", "input, top_k=100", "input, **kwargs", "sentences, **kwargs", "queries, db", "queries, _",
    "root_path", "root_path, top_k=1", "path, **kwargs", "data_path, **kwargs", "test_dir, **kwargs", "wav_path", "data",
    "test_data, **kwargs", "test_img_path_list", "test_path, **kwparser", "root, phase", "image_path",
)  # fmt: skip
CONVENTIONS = [
    *(f"save({arguments})" for arguments in SAVE_OR_LOAD),
    *(f"load({arguments})" for arguments in (*SAVE_OR_LOAD, *LOAD)),
    *(f"infer({arguments})" for arguments in INFER),
]


@pytest.fixture(scope="module")
def walks(
    platform: Any,
    request: pytest.FixtureRequest,
    walking: Callable[..., Any],
    make_walk: Callable[..., Any],
    find_chosen: Callable[..., list[Path]],
) -> Iterator[dict[str, Future[None]]]:
    """Each chosen case's walk, from `run` to the end of its submit. They are all on their way at once."""
    chosen = [make_walk(platform, case) for case in find_chosen(request, CASES)]
    with walking(chosen, lambda walk: walk.go()) as walks:
        yield walks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_ends_as_it_must_and_is_told_why(case: Path, walks: dict[str, Future[None]]) -> None:
    walks[case.name].result()


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_signature_of_those_years_is_in_a_program(convention: str) -> None:
    programs = (path.read_text(encoding="utf-8") for path in (HERE / "nsml").rglob("*.py"))
    assert any(f"def {convention}:" in program for program in programs)


def test_when_all_have_ended_nothing_is_left_running(
    platform: Any, walks: dict[str, Future[None]], wait_until: Callable[..., Any]
) -> None:
    wait(walks.values())
    assert all(session["final"] for session in platform.json("ps", "-a", "-n", "1000")["sessions"])
    # The end is told first, and the box is cleaned after it.
    wait_until(lambda: not list((platform.data / "worker/boxes").iterdir()))
    with sqlite3.connect(f"file:{platform.data / 'nsml.sqlite'}?mode=ro", uri=True) as rows:
        states = {state for (state,) in rows.execute("SELECT DISTINCT state FROM runs")}
    assert states <= {"exited", "failed", "stopped"}
