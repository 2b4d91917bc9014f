"""What people typed to NSML, typed to a real platform: look into a running program, fork it, serve it, take it home."""

import json
from pathlib import Path
from typing import Any

import pytest

TINY = Path(__file__).parents[1] / "programs/datasets/tiny"
PROGRAM = """
import argparse, os, time
import nsml
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--steps", type=int, default=10**6)
config = parser.parse_args()

def save(path):
    with open(os.path.join(path, "model"), "w") as file:
        file.write("weights")

nsml.bind(save=save, load=print, infer=lambda rows: [(1, len(row)) for row in rows])
if config.pause:
    nsml.paused(scope=locals())
for step in range(config.steps):
    nsml.report(summary=True, scope=locals(), step=step, train__loss=1 / (step + 1))
    if step in (1, 2):
        nsml.save(step)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "main.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def running(platform: Any, program: Path, wait_until: Any) -> str:
    """A session that trains until it is stopped, with two checkpoints."""
    platform.ctl("dataset", "push", "tiny", str(TINY), "-l")
    name: str = platform.json("run", "-d=tiny", "-c=1", cwd=program)["name"]
    wait_until(lambda: len(platform.json("model", "ls", name)["checkpoints"]) >= 2)
    return name


def test_an_expression_is_evaluated_in_the_running_program(platform: Any, running: str) -> None:
    first, second = (int(platform.ctl("exec", running, "step").stdout) for _ in range(2))
    assert second >= first >= 2
    failed = platform.ctl("exec", running, "nothing_of_this_name", check=False)
    assert failed.returncode == 1
    assert "NameError" in failed.stderr


def test_a_shell_command_ends_with_its_own_exit_code(platform: Any, running: str) -> None:
    done = platform.ctl("sh", running, "ls; exit 3", check=False)
    assert (done.returncode, done.stdout) == (3, "main.py\n")


def test_what_was_reported_is_drawn(platform: Any, running: str) -> None:
    assert "train/loss  (last" in platform.ctl("plot", running).stdout


def test_a_session_is_looked_at_in_docker_s_words(platform: Any, running: str) -> None:
    assert platform.json("inspect", running)["Running"] is True
    assert "run -d tiny" in platform.ctl("command", running).stdout
    assert platform.json("gpumonitor")["nodes"]


def test_source_and_checkpoint_come_home(platform: Any, running: str, tmp_path: Path) -> None:
    platform.ctl("pull", running, str(tmp_path / "code"))
    assert (tmp_path / "code/main.py").read_text() == PROGRAM
    pulled = platform.json("model", "pull", running, "2", str(tmp_path / "model"))
    assert any((tmp_path / "model" / path).read_text() == "weights" for path in pulled["files"])


def test_a_checkpoint_is_served_and_asked_then_all_is_removed_by_wildcard(
    platform: Any, running: str, wait_until: Any
) -> None:
    platform.ctl("stop", running)
    platform.wait_for(running)
    served = platform.json("infer", running, "2")["name"]
    wait_until(lambda: platform.session(served)["state"] == "paused")
    assert platform.ctl("exec", served, "nsml.infer(['abc'])").stdout == "[(1, 3)]\n"
    platform.ctl("stop", served)
    platform.wait_for(served)
    forked = platform.json("fork", running, "-c", "1", "-a", "--steps 3")["name"]
    assert platform.wait_for(forked)["type"] == "normal/fork"
    resumed = platform.json("resume", running)["name"]
    assert platform.json("model", "rm", forked, "?")["removed"]
    removed = json.loads(platform.ctl("rm", "-f", "tiny/*", "-j").stdout)["removed"]
    assert set(removed) == {running, served, forked, resumed}
    assert platform.json("ps", "-a")["sessions"] == []
