"""What `run` says of a program that could not be submitted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmlctl.advice import advise

Run = Callable[..., Any]
WHOLE = """
import argparse, nsml
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()
nsml.bind(save=print, load=print, infer=print)
if config.pause:
    nsml.paused(scope=locals())
"""


def advice(source: str, **others: str) -> list[str]:
    return advise("main.py", {"main.py": source, **{f"{name}.py": text for name, text in others.items()}})


@pytest.mark.parametrize(
    "source",
    [
        WHOLE,
        "from nsml import *\nbind()\npaused()",
        "import nsml as n\nn.bind()\nn.paused()",
        "from nsml import bind, paused\nbind()\npaused()",
        "import nsml, fire\ndef train(mode='train', pause=0, iteration='0'):\n    nsml.bind(); nsml.paused()\nfire.Fire(train)",
        "import nsml\nnsml.bind()\nnsml.paused()",
        "import nsml, argparse\nnsml.bind(); nsml.paused()\nargparse.ArgumentParser().parse_known_args()",
    ],
)
def test_a_whole_program_hears_nothing(source: str) -> None:
    assert advice(source) == []


def test_calls_in_another_file_of_the_folder_count() -> None:
    assert advice("import model", model=WHOLE) == []


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("nsml.bind(save=print, load=print, infer=print)", "main.py never calls nsml.bind"),
        ("nsml.paused(scope=locals())", "main.py never calls nsml.paused"),
        ('parser.add_argument("--pause", type=int, default=0)', "main.py does not know the option --pause"),
        ('parser.add_argument("--iteration", default="0")', "A fork adds"),
    ],
)
def test_what_is_missing_is_named_with_what_to_add(without: str, sentence: str) -> None:
    (said,) = advice(WHOLE.replace(without, "pass"))
    assert sentence in said
    assert "Add" in said


HEAD = """
import argparse, nsml
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
"""
ASK = "config = parser.parse_args()\nnsml.bind(save=print, load=print, infer=print)\n"
PAUSE = "if config.pause:\n    nsml.paused(scope=locals())\n"
LOOP = "for epoch in range(3):\n    nsml.save(str(epoch))\n"


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "source",
    [
        HEAD + ASK + LOOP + PAUSE,
        HEAD + "def train():\n" + indented(LOOP) + ASK + "train()\n" + PAUSE,
        HEAD + ASK + "try:\n    pass\nexcept OSError:\n" + indented(LOOP) + PAUSE,
        HEAD + "def main(config):\n" + indented(LOOP + PAUSE) + ASK + "if __name__ == '__main__':\n    main(config)\n",
        "import fire, nsml\ndef train(mode='train', pause=0, iteration='0'):\n"
        + indented("nsml.bind()\n" + LOOP + "nsml.paused()\n") + "fire.Fire(train)\n",
    ],
)  # fmt: skip
def test_training_that_a_submit_would_walk_into_is_told_with_its_line(source: str) -> None:
    (said,) = advice(source)
    assert "trains before it calls nsml.paused" in said
    line = source.splitlines()[int(said.split("(line ")[1].split(")")[0]) - 1]
    assert "nsml.save" in line


def test_a_mode_that_nobody_looks_at_is_told() -> None:
    (said,) = advice(HEAD + ASK + PAUSE + LOOP)
    assert "takes --mode and never looks at it" in said
    assert "if config.mode == 'train':" in said


@pytest.mark.parametrize(
    "source",
    [
        HEAD + ASK + PAUSE + "if config.mode == 'train':\n" + indented(LOOP),
        HEAD + ASK + PAUSE + "if config.mode != 'train':\n    raise SystemExit\n" + LOOP,
        HEAD + ASK + "if config.mode == 'train':\n" + indented(LOOP) + PAUSE,
        HEAD + ASK + "if not config.pause:\n" + indented(LOOP) + PAUSE,
        HEAD + ASK + "if is_train:\n" + indented(LOOP) + PAUSE,
        HEAD + "def save(path):\n    nsml.save('x')\n" + ASK + PAUSE,
        HEAD + ASK + PAUSE + "table = {'train': print}\ntable[config.mode]()\n" + LOOP,
        HEAD.replace('parser.add_argument("--mode", default="train")', "") + ASK.replace("parse_args", "parse_known_args")
        + PAUSE + LOOP,
    ],
)  # fmt: skip
def test_a_guard_of_any_kind_is_enough(source: str) -> None:
    assert not [said for said in advice(source) if "train" in said.split(".")[0]]


def test_a_mode_looked_at_in_another_file_counts() -> None:
    assert advice(HEAD + ASK + PAUSE + LOOP, model="def f(config):\n    return config.mode == 'train'\n") == []


def test_functions_that_call_each_other_come_to_an_end() -> None:
    assert advice(HEAD + "def a():\n    b()\ndef b():\n    a()\n" + ASK + "a()\n" + PAUSE) == []


EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("entry", sorted(EXAMPLES.rglob("main.py")), ids=lambda path: path.parent.name)
def test_no_example_is_warned_of(entry: Path) -> None:
    programs = {path.relative_to(entry.parent).as_posix(): path.read_text() for path in entry.parent.rglob("*.py")}
    assert advise("main.py", programs) == []


@pytest.mark.parametrize("source", ["print 'of another Python'", "\x00", "def f(:"])
def test_a_program_this_python_cannot_read_is_not_judged(source: str) -> None:
    assert advice(source) == []


def test_a_socket_s_bind_is_not_nsml_s() -> None:
    assert "never calls nsml.bind" in advice("import socket, nsml\nsocket.socket().bind(1)\nnsml.paused()")[0]


def test_a_run_warns_and_goes_on(nsmlctl: Run, platform: Any, folder: Path, session: Any) -> None:
    (folder / "main.py").write_text("open('executed', 'w')")
    platform.on("GET", "/platform", {"limits": {}})
    platform.on("GET", "/datasets/kin", {"name": "kin"})
    platform.on("POST", "/blobs/missing", {"missing": []})
    platform.on("POST", "/sessions", session())
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 0
    assert "Warning: main.py never calls nsml.bind" in outcome.err
    assert not (folder / "executed").exists()
