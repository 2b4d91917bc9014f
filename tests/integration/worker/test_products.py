"""Files a program wrote beside its code arrive before its end is told, also when the worker was restarted in between."""

from typing import Any

import pytest

from nsml_worker.confinement import LADDER
from nsml_worker.contract import EndReason, EventKind, RunKind, Tree

PROGRAM = """
import os
os.makedirs("out")
open("out/prediction.csv", "w").write("1")
open("notes.txt", "a").write(" and more")
os.symlink("/etc/passwd", "passwd")
"""


def told(site: Any, box: Any) -> list[dict[str, Any]]:
    return [event.data for event in site.memory.events[box] if event.kind is EventKind.FILES]


@pytest.mark.parametrize("confinement", LADDER, ids=lambda one: one.name)
def test_files_of_a_training_are_stored_and_told_once_before_its_end(site: Any, confinement: Any) -> None:
    site.confine(confinement)
    box = site.offer(PROGRAM, files={"notes.txt": "notes", "same.txt": "same"})
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    (data,) = told(site, box)
    stored = {entry.path: site.memory.blobs[entry.hash] for entry in Tree.from_dict(data["tree"]).files}
    assert stored == {"out/prediction.csv": b"1", "notes.txt": b"notes and more"}
    assert data["left_out"] == [["passwd", "it is a link"]]
    assert site.memory.events[box][-2].kind is EventKind.FILES


def test_a_program_that_fails_keeps_its_files_and_one_without_any_tells_nothing(site: Any) -> None:
    failed = site.offer("open('half.txt', 'w').write('h'); raise SystemExit(3)", 1, "one")
    silent = site.offer("print('done')", 2, "two")
    agent = site.start_worker()
    agent.take(1, "one")
    agent.take(2, "two")
    assert site.memory.wait_for_end(failed).reason is EndReason.EXIT_CODE
    assert len(told(site, failed)) == 1
    site.memory.wait_for_end(silent)
    assert told(site, silent) == []


def test_what_a_submit_writes_is_nobodys(site: Any) -> None:
    box = site.offer("open('rows.txt', 'w').write('hidden test')", kind=RunKind.PREDICT)
    site.start_worker().take(1, "run-secret-canary")
    site.memory.wait_for_end(box)
    assert told(site, box) == []
    assert b"hidden test" not in site.memory.blobs.values()


def test_a_worker_that_was_restarted_tells_them_once(site: Any, wait_until: Any) -> None:
    """The server is away when the program ends; the next worker goes on where the first one stood."""
    program = PROGRAM + "import time\nprint('written', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    box = site.offer(program, files={"notes.txt": "notes"})
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"written")
    site.server.broken.set()
    (site.folder / "boxes/1-1/app/go").touch()
    wait_until(lambda: (site.folder / "boxes/1-1/exit").exists())
    site.leave()
    site.server.broken.clear()
    site.start_worker()
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    assert len(told(site, box)) == 1
