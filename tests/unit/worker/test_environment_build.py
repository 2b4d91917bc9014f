"""What pip may see and what is told of its words: decided without running it."""

from pathlib import Path
from typing import Any

import pytest

from nsml_worker import environment_build
from nsml_worker.confinement import LADDER, Bind, Plan, launch_bubblewrap, launch_namespace
from nsml_worker.environment_build import Site, find_reason, find_step, make_plan, make_variables, redact
from nsml_worker.environments import Paced
from nsml_worker.errors import SettingsInvalid
from nsml_worker.interpreter import Description, Interpreter
from nsml_worker.settings import Settings

PYTHON = Description(Interpreter("/opt/py/bin/python", ("/opt/py",)), "3.6.15", "CPython", "/opt/py/bin/python3.6", ())

REFUSED = """
Collecting numpi
ERROR: Could not find a version that satisfies the requirement numpi (from versions: none)
ERROR: No matching distribution found for numpi
"""
REFUSED_BY_AN_OLD_PIP = """
Collecting numpi
  Could not find a version that satisfies the requirement numpi (from versions: )
No matching distribution found for numpi
"""
NOT_BUILT = """
Collecting konlpy
Collecting JPype1
  error: subprocess-exited-with-error
  × Building wheel did not run successfully.
  │ exit code: 1
  ╰─> [3 lines of output]
      running build
      no compiler was found
      [end of output]
ERROR: Failed building wheel for JPype1
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (REFUSED, "No matching distribution found for numpi"),
        (REFUSED_BY_AN_OLD_PIP, "No matching distribution found for numpi"),
        (NOT_BUILT, "JPype1 could not be built: running build | no compiler was found"),
        ("", "pip gave no reason"),
        (f"WARNING: Retrying (Retry(total=0)) after connection broken\n{REFUSED}", "index could not be reached"),
    ],
)
def test_the_reason_is_pips_own_in_one_line(output: str, expected: str) -> None:
    reason = find_reason(output)
    assert expected in reason
    assert "\n" not in reason
    assert not reason.endswith(".")


def test_a_reason_is_never_long() -> None:
    assert len(find_reason("ERROR: " + "x" * 10_000)) <= 800


@pytest.mark.parametrize("launch", [launch_bubblewrap, launch_namespace])
def test_only_pip_has_a_network(launch: Any) -> None:
    sealed = launch(Plan((Bind("/usr", "/usr"),), "/app", "/root-of-it", uid=7))
    opened = launch(Plan((Bind("/usr", "/usr"),), "/app", "/root-of-it", uid=7, network=True))
    assert {"--net", "--unshare-net"} & set(sealed)
    assert not {"--net", "--unshare-net"} & set(opened)


def test_pip_sees_its_folder_its_python_and_nothing_of_the_worker(tmp_path: Path) -> None:
    site = Site(tmp_path / "new", tmp_path / "new.scratch", LADDER[0])
    binds = make_plan(site, PYTHON, {"PIP_FIND_LINKS": str(tmp_path / "missing")}, "/tmp").binds
    writable = {bind.source for bind in binds if bind.kind == "write"}
    assert writable == {str(site.folder), str(site.scratch)}
    readable = {bind.source for bind in binds if bind.kind == "read"}
    assert "/opt/py" in readable
    assert not {str(tmp_path), "/root", "/home", "/etc", "/run", "/var"} & readable


@pytest.mark.parametrize(("index", "seen"), [("https://index.test", True), ("https://operator:word@index.test", False)])
def test_pip_sees_the_node_s_own_configuration_unless_it_holds_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str, seen: bool
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {index}\n")
    monkeypatch.setattr(environment_build, "PIP_CONFIG", str(config))
    binds = make_plan(Site(tmp_path / "new", tmp_path / "new.scratch", LADDER[0]), PYTHON, {}, "/tmp").binds
    assert (str(config) in {bind.target for bind in binds}) is seen


def read(given: dict[str, str], folder: Path) -> Settings:
    return Settings.read({
        "NSML_SERVER_URL": "http://x", "NSML_NODE": "local", "NSML_NODE_TOKEN_FILE": str(folder / "token"),
        "NSML_BROKER_URL": "memory://", "NSML_WORKER_DATA": str(folder), **given,
    })  # fmt: skip


def test_pip_gets_the_variables_that_configure_it_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    given = {
        "NSML_ENVIRONMENT_BYTES": "1000",
        "PIP_INDEX_URL": "https://index.test",
        "https_proxy": "http://proxy.test",
        "AWS_SECRET_ACCESS_KEY": "x",
        "PATH": "/own",
    }
    settings = read(given, tmp_path)
    assert set(settings.pip) == {"PIP_INDEX_URL", "https_proxy"}
    assert settings.environment_bytes == 1000
    assert settings.runtimes is None
    assert read({**given, "NSML_RUNTIMES": ""}, tmp_path).runtimes is None
    assert read({**given, "NSML_RUNTIMES": "/srv/runtimes"}, tmp_path).runtimes == Path("/srv/runtimes")
    variables = make_variables(settings.pip, "/tmp")
    assert variables["PIP_INDEX_URL"] == "https://index.test"
    assert "/own" not in variables["PATH"]
    with pytest.raises(SettingsInvalid, match="NSML_ENVIRONMENT_BYTES"):
        read({**given, "NSML_ENVIRONMENT_BYTES": "20G"}, tmp_path)


def test_no_login_of_the_operator_reaches_what_strangers_packages_run(tmp_path: Path) -> None:
    (tmp_path / "plain.conf").write_text("[global]\nindex-url = https://index.test/a@b\n")
    given = {
        "PIP_INDEX_URL": "https://operator:word@index.test/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.test/simple https://token@two.test/simple",
        "https_proxy": "http://operator:word@proxy.test:3128",
        "PIP_CLIENT_CERT": "/etc/operator.pem",
        "PIP_CONFIG_FILE": str(tmp_path / "plain.conf"),
        "PIP_CERT": "/etc/ssl/ca.pem",
    }
    (tmp_path / "token").write_text("t")
    settings = read(given, tmp_path)
    assert set(settings.pip) == {"PIP_CONFIG_FILE", "PIP_CERT"}
    assert set(settings.kept_from_pip) == set(given) - set(settings.pip)
    trusting = read({**given, "NSML_BUILD_SECRETS": "1"}, tmp_path)
    assert (trusting.pip, trusting.kept_from_pip) == (given, ())
    said = redact("tried https://operator:word@index.test/simple, and token@two.test with operator:word", given)
    assert "word" not in said
    assert "token" not in said


def test_progress_of_pip_is_told_without_addresses() -> None:
    assert (
        find_step("  Downloading https://operator:word@index.test/a/b-1.whl?x=1 (2 kB)") == "Downloading b-1.whl (2 kB)"
    )
    assert find_step("Looking in indexes: https://operator:word@index.test") == ""


def test_progress_is_told_once_a_second_at_most() -> None:
    now, told = [10.0], []
    paced = Paced(told.append, clock=lambda: now[0])
    for text in "abc":
        paced(text)
    now[0] += 1.0
    paced("d")
    assert told == ["a", "d"]
