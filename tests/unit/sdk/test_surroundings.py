"""What lies beside main.py, how it reads its arguments, and which of its processes calls: none of it stands in the way."""

from pathlib import Path
from typing import Any

import pytest

from nsml_worker import sdk_folder

USERS = {
    "a folder": ("nsml/__init__.py", "raise SystemExit('the folder beside main.py')"),
    "an empty folder": ("nsml/notes.txt", ""),
    "a file": ("nsml.py", "raise SystemExit('the file beside main.py')"),
}
CHECK = "import nsml, nsml.constants; print(nsml.SESSION_NAME, len(nsml.constants.__file__) > 1)"
CHILDREN = {
    "the program itself": CHECK,
    "python -c": f"import subprocess, sys\nsubprocess.check_call([sys.executable, '-c', {CHECK!r}])",
    "python -m": "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'child'])",
    "a script in a folder below": "import os, sys\nos.system(sys.executable + ' below/child.py')",
    "a spawned process": (
        "import multiprocessing, child\n"
        "if __name__ == '__main__':\n"
        "    one = multiprocessing.get_context('spawn').Process(target=child.check)\n"
        "    one.start(); one.join(); assert one.exitcode == 0\n"
    ),
    "exec": "import os, sys\nos.execv(sys.executable, [sys.executable, 'below/child.py'])",
}


@pytest.fixture
def sealed(box: Any) -> Any:
    """A box whose path begins as a worker makes it: the SDK and what lets it win, then the program's folder."""
    sdk: Path = sdk_folder.write_sdk(box.root / "sdk")
    box.variables = {"PYTHONPATH": f"{sdk}:{box.app}"}
    (box.app / "below").mkdir()
    (box.app / "below" / "child.py").write_text(CHECK)
    (box.app / "child.py").write_text(f"def check(): exec({CHECK!r})\nif __name__ == '__main__': check()")
    return box


@pytest.mark.parametrize("child", CHILDREN)
@pytest.mark.parametrize("users", USERS)
def test_something_of_the_users_named_nsml_never_shadows_the_platforms(sealed: Any, users: str, child: str) -> None:
    name, text = USERS[users]
    (sealed.app / name).parent.mkdir(exist_ok=True)
    (sealed.app / name).write_text(text)
    assert sealed.run(CHILDREN[child]).stdout == "alice/kin/7 True\n"


MODEL = """
import nsml
def bind():
    nsml.bind(lambda path: open(path + '/m', 'w').write('best'), lambda path: print(open(path + '/m').read()), infer)
"""


def prepare(box: Any, mode: str) -> None:
    box.run("import nsml\nnsml.save('best', save_fn=lambda path: open(path + '/m', 'w').write('best'))")
    box.prepare_submit("best")
    box.mode = mode


def test_a_data_loader_and_an_evaluation_of_the_users_stay_their_own(box: Any) -> None:
    prepare(box, "submit")
    (box.app / "data_loader.py").write_text(
        "def clean(row): return row.upper()\ndef feed_infer(*_): raise SystemExit(9)\n"
    )
    (box.app / "evaluation.py").write_text("raise SystemExit('the evaluation beside main.py')\n")
    box.write_loader(
        "import pickle\n"
        "class Row: pass\n"
        "def feed_infer(out, ask):\n"
        "    pickle.loads(pickle.dumps(Row()))\n"
        "    open(out, 'w').write(ask('a'))\n"
    )
    box.run(
        MODEL
        + "def infer(row):\n    from data_loader import clean\n    return clean(row)\nbind()\nnsml.paused(scope=locals())"
    )
    assert box.prediction.read_text() == "A"


ARGPARSE = """
import argparse
def infer(rows): return [(0.5, row) for row in rows]
parser = argparse.ArgumentParser()
parser.add_argument('--mode', type=str, default='train')
parser.add_argument('--pause', type=int, default=0)
parser.add_argument('--iteration', type=str, default='0')
parser.add_argument('--epochs', type=int, default=1)
config = parser.parse_args()
bind()
if config.pause:
    nsml.paused(scope=locals())
print(config.mode, config.iteration, config.epochs)
"""
FIRE = """
import fire
def infer(rows): return [(0.5, row) for row in rows]
def train(epochs=1, pause=0, mode='train', iteration='0'):
    bind()
    if pause:
        nsml.paused(scope=locals())
    print(mode, iteration, epochs)
if __name__ == '__main__':
    fire.Fire(train)
"""
ABSL = """
from absl import app, flags
def infer(rows): return [(0.5, row) for row in rows]
flags.DEFINE_string('mode', 'train', '')
flags.DEFINE_integer('pause', 0, '')
flags.DEFINE_string('iteration', '0', '')
flags.DEFINE_integer('epochs', 1, '')
def main(_):
    config = flags.FLAGS
    bind()
    if config.pause:
        nsml.paused(scope=locals())
    print(config.mode, config.iteration, config.epochs)
app.run(main)
"""
CLICK = """
import click
def infer(rows): return [(0.5, row) for row in rows]
@click.command()
@click.option('--mode', default='train')
@click.option('--pause', default=0)
@click.option('--iteration', default='0')
@click.option('--epochs', default=1)
def main(mode, pause, iteration, epochs):
    bind()
    if pause:
        nsml.paused(scope=locals())
    print(mode, iteration, epochs)
main()
"""
ENTRIES = {"argparse": ARGPARSE, "fire": FIRE, "absl.flags": ABSL, "click": CLICK}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_of_any_style_takes_the_reserved_arguments(box: Any, entry: str) -> None:
    program = MODEL + ENTRIES[entry]
    assert box.run(program, "--epochs", "3").stdout == "train 0 3\n"
    prepare(box, "fork")
    forked = box.run(program, "--epochs", "3", "--mode", "finetune", "--pause", "1", "--iteration", "best")
    assert forked.stdout == "Paused.\nbest\nfinetune best 3\n"
    box.mode = "submit"
    box.write_loader("def test_data_loader(root): return ['a', 'b']")
    submitted = box.run(program, "--epochs", "3", "--mode", "test", "--pause", "1")
    assert (submitted.stdout, box.prediction.read_text()) == ("Paused.\nbest\n", "a\nb\n")


WORKERS = """
import multiprocessing, os, sys, threading
import nsml

def work(who):
    nsml.bind(save=lambda path: open(path + '/who', 'w').write(who))
    for step in range(20):
        nsml.report(step=step, who=who, scope=locals())
    nsml.save('best of ' + who)
    nsml.save('shared')

if __name__ == '__main__':
    fork, spawn = multiprocessing.get_context('fork'), multiprocessing.get_context('spawn')
    ones = [fork.Process(target=work, args=('fork',)), spawn.Process(target=work, args=('spawn',))]
    for one in ones: one.start()
    if os.fork() == 0:
        work('os.fork')
        os._exit(0)
    os.wait()
    for one in ones: one.join()
    one = threading.Thread(target=work, args=('thread',))
    one.start(); one.join()
    nsml.load('shared', load_fn=lambda path: print(open(path + '/who').read()))
"""


def test_binds_reports_and_saves_of_any_process_or_thread_arrive_whole(box: Any) -> None:
    done = box.run(WORKERS)
    assert done.stdout == "thread\n", "the newest of one name, whoever saved it"
    seen: dict[str, list[int]] = {}
    for line in box.read_journal("report"):
        seen.setdefault(line["values"]["who"], []).append(line["step"])
    assert seen == {who: list(range(20)) for who in ("fork", "spawn", "os.fork", "thread")}
    saves = box.read_journal("save")
    assert len(saves) == 8
    for line in saves:
        assert ((box.home / "checkpoints" / line["dir"] / "model/who").stat().st_size, line["files"]) == (
            line["bytes"],
            1,
        )


def test_names_of_intervals_vectors_and_stacks_arrive_as_they_are(box: Any) -> None:
    names = {"loss": 1, "loss@std": 0.1, "norm@vector:layer1": 2, "time@stack:read": 3, "time@stack:train": 4}
    box.run(f"import nsml\nnsml.report(step=1, **{names!r})\nnsml.report({names!r})")
    assert [line["values"] for line in box.read_journal("report")] == [names, names]
