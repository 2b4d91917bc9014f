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
