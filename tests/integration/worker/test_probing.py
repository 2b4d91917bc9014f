"""A node finds out how well it can seal a box by sealing one; a busy node is no worse at it than an idle one."""

from typing import Any

import pytest

from nsml_worker import probing
from nsml_worker.errors import NodeTooBusy
from nsml_worker.interpreter import Interpreter


def choose(site: Any, wanted: str) -> str:
    images = {"default": Interpreter.current()}
    return str(probing.choose_confinement(wanted, images, site.sdk, site.folder / "probe").name)


def test_what_works_is_chosen(site: Any) -> None:
    assert choose(site, "none") == "none"


@pytest.mark.parametrize("wanted", ["auto", "none"])
def test_a_trial_without_an_end_is_told_and_nothing_weaker_is_taken_instead(
    site: Any, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setattr(probing, "PROBE", "import time; time.sleep(600)")
    monkeypatch.setattr(probing, "PROBE_SECONDS", 0.5)
    with pytest.raises(NodeTooBusy, match="Start the worker again"):
        choose(site, wanted)
    assert list((site.folder / "probe/boxes").iterdir()) == []


def test_a_node_too_slow_to_reach_the_program_is_told_too(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "PROBE", "import time; time.sleep(600)")
    monkeypatch.setattr(probing, "PROBE_SECONDS", 0.0)
    with pytest.raises(NodeTooBusy):
        choose(site, "auto")
