"""The library and its box on every Python from 3.6 on that this machine has."""

from pathlib import Path
from typing import Any

import pytest

from nsml_worker.confinement import LADDER
from nsml_worker.contract import Environment, EventKind

OLD_PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))


@pytest.mark.skipif(
    not (Path.home() / ".pyenv").is_dir(), reason="pyenv is missing here: where it is, the Pythons are required"
)
def test_there_are_pythons_to_try() -> None:
    assert OLD_PYTHONS, "pyenv install 3.6"


@pytest.mark.parametrize("python", OLD_PYTHONS, ids=lambda path: path.parent.parent.name)
def test_a_program_runs_on_any_python_from_3_6(site: Any, python: Path) -> None:
    program = (
        "import nsml, sys\n"
        "print('on', '%d.%d' % sys.version_info[:2], nsml.IS_ON_NSML)\n"
        "nsml.report(step=1, loss=0.5)\n"
        "nsml.bind(save=lambda path: open(path + '/model', 'w').close())\n"
        "nsml.save('1')\n"
    )
    site.confine(LADDER[0])
    box = site.offer(program, environment_of=Environment(interpreter=str(python)))
    site.start_worker().take(1, "run-secret-canary")
    end = site.memory.wait_for_end(box)
    assert end.reason == "exited", (end, site.memory.stream(1, "log"))
    version = python.parent.parent.name.rpartition(".")[0]
    assert f"on {version} True".encode() in site.memory.stream(1, "log")
    assert any(event.kind is EventKind.CHECKPOINT for event in site.memory.events[box])
