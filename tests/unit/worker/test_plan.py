"""From a spec to a command line and an environment: pure decisions."""

from pathlib import Path
from typing import Any

import pytest

from nsml_worker.box import Box, Exit, interpret_exit
from nsml_worker.box_plan import Layout, choose_cwd, make_argv, make_environment, make_plan, translate
from nsml_worker.confinement import LADDER, Bind, Plan, launch_bubblewrap, launch_namespace, list_parents, rungs
from nsml_worker.contract import EndReason, FileEntry, Limits, Mount, RunKind, RunSpec, Tree
from nsml_worker.errors import EntryMissing, SettingsInvalid
from nsml_worker.interpreter import Interpreter
from nsml_worker.run import check_entry, find_entry
from nsml_worker.settings import Settings

PYTHON = Interpreter("/opt/python/bin/python", ("/opt/python",))
NONE, BUBBLEWRAP = LADDER[-1], LADDER[0]


def spec(**more: Any) -> RunSpec:
    words: dict[str, Any] = {
        "kind": RunKind.TRAIN,
        "session": "u/d/1",
        "image": "default",
        "argv": ("python", "-u", "main.py"),
        "mounts": (),
        "dataset": "d",
        **more,
    }
    return RunSpec(1, 1, **words)


def layout(of: RunSpec) -> Layout:
    return Layout(Box(Path("/b"), of, ""), {"/data/d": Path("/b/views/x/d")}, Path("/sdk-here"), uid=7, grace=1.0)


def test_a_program_that_sees_real_paths_gets_them_in_words_and_variables() -> None:
    of = spec(argv=("python", "@score", "--label", "/data/d/test/test_label", "/data/dog", "/nsml/x"))
    fields = make_plan(of, layout(of), NONE, PYTHON)
    words = [value for name, value in fields if name == "argv"]
    assert words[-6:] == [
        "/opt/python/bin/python",
        "/sdk-here/nsml_score.py",
        "--label",
        "/b/views/x/d/test/test_label",
        "/data/dog",
        "/b/home/x",
    ]
    assert ("env", "NSML_DATASET_PATH=/b/views/x/d") in fields
    assert ("env", "PYTHONPATH=/sdk-here:/b/app") in fields


def test_a_program_that_sees_mounts_gets_the_agreed_paths() -> None:
    environment = make_environment(spec(limits=Limits(cpus=3, gpus=("GPU-1", "GPU-2"))), PYTHON, [])
    assert environment["NSML_HOME"] == "/nsml"
    assert environment["NSML_DATASET_PATH"] == "/data/d"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-2"
    assert make_argv(spec(), PYTHON, []) == ["/opt/python/bin/python", "-u", "main.py"]


def test_only_variables_of_the_contract_reach_a_program() -> None:
    environment = make_environment(
        spec(environment={"NSML_MODE": "submit", "LD_PRELOAD": "x", "PATH": "y"}), PYTHON, []
    )
    assert environment["NSML_MODE"] == "submit"
    assert "LD_PRELOAD" not in environment
    assert environment["PATH"] != "y"


def test_an_evaluation_stands_at_the_root_where_data_lies_below_it() -> None:
    of = spec(kind=RunKind.SCORE)
    assert choose_cwd(of, layout(of), BUBBLEWRAP) == "/"
    assert choose_cwd(of, layout(of), NONE) == "/b/app"
    assert choose_cwd(spec(), layout(of), BUBBLEWRAP) == "/app"


def test_the_longest_path_wins_and_a_common_beginning_is_no_path() -> None:
    pairs = [("/data/kin", "/k"), ("/data", "/d")]
    assert [translate(text, pairs) for text in ("/data/kin/x", "/data/kind", "/data", "data")] == [
        "/k/x",
        "/d/kind",
        "/d",
        "data",
    ]


def test_a_launcher_never_binds_the_root_or_a_home() -> None:
    of = spec()
    fields = make_plan(of, layout(of), BUBBLEWRAP, PYTHON)
    words = [value for name, value in fields if name == "argv"]
    sources = {words[i + 1] for i, word in enumerate(words) if word in ("--bind", "--ro-bind", "--dev-bind")}
    assert not sources & {"/", "/root", "/home", "/etc", "/var", "/run", "/tmp", "/b", "/dev", "/proc"}
    assert {"--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent"} <= set(words)


@pytest.mark.parametrize("launch", [launch_bubblewrap, launch_namespace])
def test_a_box_user_is_dropped_to_with_no_way_back(launch: Any) -> None:
    words = launch(Plan((Bind("/usr", "/usr"),), "/app", "/b/root", uid=61184))
    drop = words[words.index("--reuid") - 1 :]
    assert drop[:5] == ["setpriv", "--reuid", "61184", "--regid", "61184"]
    assert {"--clear-groups", "--no-new-privs", "--bounding-set=-all"} <= set(drop)


def test_folders_above_a_bind_come_in_order() -> None:
    assert list_parents([Bind("/x", "/a/b/c"), Bind("/y", "/a/d")]) == ["/a", "/a/b"]


@pytest.mark.parametrize(
    ("wanted", "is_root", "expected"),
    [
        ("auto", True, ["bubblewrap", "namespace", "user", "none"]),
        ("auto", False, ["bubblewrap", "none"]),
        ("none", True, ["none"]),
        ("user", False, []),
    ],
)
def test_the_ladder_is_tried_from_the_top(wanted: str, is_root: bool, expected: list[str]) -> None:
    assert [confinement.name for confinement in rungs(wanted, is_root)] == expected


@pytest.mark.parametrize(
    ("status", "reached", "code", "number", "reason"),
    [
        ("0", True, 0, None, EndReason.EXITED),
        ("3", True, 3, None, EndReason.EXIT_CODE),
        ("139", True, None, 11, EndReason.SIGNALLED),
        ("-9", True, None, 9, EndReason.SIGNALLED),
        ("255", True, 255, None, EndReason.EXIT_CODE),
        ("139", False, 139, None, EndReason.EXIT_CODE),
    ],
)
def test_a_launchers_status_is_read_as_what_the_program_did(
    status: str, reached: bool, code: int, number: int, reason: EndReason
) -> None:
    facts = {"status": status, "cause": "", "detail": "", "wall_seconds": "1", "cpu_seconds": "1", "peak_memory": "1"}
    end = interpret_exit(facts, reached)
    assert (end.exit_code, end.signal, end.reason) == (code, number, reason)


def test_what_the_box_did_counts_before_how_the_program_ended() -> None:
    assert Exit(exit_code=0, cause=EndReason.STOPPED).reason is EndReason.STOPPED


@pytest.mark.parametrize(
    ("argv", "entry"),
    [
        (("python", "-u", "main.py", "--epochs", "3"), "main.py"),
        (("python", "src/./main.py"), "src/./main.py"),
        (("python", "@score", "--metric", "mse"), None),
        (("python", "-c", "pass"), None),
    ],
)
def test_the_entry_is_the_first_word_after_python(argv: tuple[str, ...], entry: str | None) -> None:
    assert find_entry(argv) == entry


def test_an_entry_must_be_a_file_of_the_code() -> None:
    code = (Mount("/app", Tree((FileEntry("src/main.py", 1, "0"),)), writable=True),)
    check_entry(spec(argv=("python", "-u", "./src/main.py"), mounts=code))
    for missing in ("src", "main.py", "../src/main.py", "/app/src/main.py"):
        with pytest.raises(EntryMissing, match="no file"):
            check_entry(spec(argv=("python", "-u", missing), mounts=code))


def test_settings_name_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t\n")
    given = {
        "NSML_SERVER_URL": "http://x/",
        "NSML_NODE": "local",
        "NSML_NODE_TOKEN_FILE": str(tmp_path / "token"),
        "NSML_BROKER_URL": "memory://",
        "NSML_WORKER_DATA": str(tmp_path),
    }
    settings = Settings.read(given)
    assert (settings.server_url, settings.node_token, settings.confinement) == ("http://x", "t", "auto")
    for name in given:
        with pytest.raises(SettingsInvalid, match=name):
            Settings.read({key: value for key, value in given.items() if key != name})
    with pytest.raises(SettingsInvalid, match="chroot"):
        Settings.read({**given, "NSML_CONFINEMENT": "chroot"})
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        Settings.read({**given, "NSML_NODE_TOKEN_FILE": str(tmp_path / "none")})


def test_an_interpreter_below_the_box_s_own_tmp_is_neither_translated_nor_hidden() -> None:
    python = Interpreter("/tmp/clone/.venv/bin/python", ("/tmp/clone/.venv",))
    of = spec(mounts=(Mount("/data/d", Tree()),))
    seen = [value for name, value in make_plan(of, layout(of), NONE, python) if name == "argv"]
    assert "/tmp/clone/.venv/bin/python" in seen
    words = [value for name, value in make_plan(of, layout(of), BUBBLEWRAP, python) if name == "argv"]
    assert words.index("/tmp") < words.index("/tmp/clone") < words.index("/tmp/clone/.venv")
