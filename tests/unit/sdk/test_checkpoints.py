"""`nsml.save` and `nsml.load`: a checkpoint is whole or absent, and both path rules of NSML's years work."""

import signal
from typing import Any

import pytest

VOCABULARY = """
import os, pickle, sys
import nsml

def save(path, *args):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, 'model'), 'w') as file:
        file.write('weights')
    with open(os.path.join(os.path.dirname(path), 'vocabulary.pickle'), 'wb') as file:
        pickle.dump(['ㄱ'], file)

def load(path, *args):
    print(open(os.path.join(path, 'model')).read())
    print(pickle.load(open(os.path.join(os.path.dirname(path), 'vocabulary.pickle'), 'rb')))

nsml.bind(save, load)
"""


def list_files(folder: Any) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_lies_beside_the_model_belongs_to_the_checkpoint(box: Any) -> None:
    done = box.run(VOCABULARY + "nsml.report(step=1, train__loss=0.5)\nnsml.save(1)\nnsml.load('1')")
    assert done.stdout == "weights\n['ㄱ']\n"
    (line,) = box.read_journal("save")
    assert (line["name"], line["files"], line["summary"]) == ("1", 2, {"train/loss": 0.5, "step": 1})
    sealed = box.list_checkpoints()["1"]
    assert list_files(sealed) == ["model/model", "vocabulary.pickle"]
    assert line["bytes"] == sum(path.stat().st_size for path in sealed.rglob("*") if path.is_file())


def test_a_save_callback_that_raises_leaves_nothing_and_its_error_comes_through(box: Any) -> None:
    done = box.run(
        VOCABULARY
        + """
def broken(path):
    save(path)
    raise KeyError('the word')
try:
    nsml.save('best', save_fn=broken)
except KeyError as error:
    print(error)
nsml.save('good')
nsml.save('best', save_fn=broken)
""",
        fails=True,
    )
    assert done.stdout == "'the word'\n"
    assert list(box.list_checkpoints()) == ["good"]
    assert [path.name for path in (box.home / "checkpoints").iterdir()] == [box.list_checkpoints()["good"].name]
    (error,) = box.read_journal("error")
    assert (error["phase"], error["type"]) == ("save", "KeyError")


def test_a_save_killed_half_way_leaves_nothing_sealed(box: Any) -> None:
    process = box.start(
        VOCABULARY
        + """
def slow(path):
    save(path)
    print('half', flush=True)
    sys.stdin.read()
nsml.save('best', save_fn=slow)
"""
    )
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert box.read_journal("save") == []
    assert [path.name[:8] for path in (box.home / "checkpoints").iterdir()] == [".saving-"]
    box.run(VOCABULARY + "try: nsml.load('best')\nexcept KeyError as error: print(error)\nelse: raise SystemExit(1)")


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "", "  ", " a", "..", "x" * 129, "a\nb", "a\x00b", "\u202eexe", "\x1b[31m"]
)
def test_a_name_that_cannot_be_kept_is_refused_in_one_sentence(box: Any, name: str) -> None:
    done = box.run(
        VOCABULARY + f"try: nsml.save({name!a})\nexcept ValueError as error: print(error)\nelse: raise SystemExit(1)"
    )
    assert done.stdout.startswith("The checkpoint name ")
    assert "nsml.save(epoch)" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert not (box.home / "checkpoints").exists()


@pytest.mark.parametrize("name", ["3", "3best", "한글 이름", "x" * 128, "a.b-c_d@e", "모델😀"])
def test_names_of_old_programs_are_kept_as_they_are(box: Any, name: str) -> None:
    box.run(VOCABULARY + f"nsml.save(checkpoint={name!a})\nnsml.load(checkpoint={name!a})")
    assert list(box.list_checkpoints()) == [name]


def test_saving_without_a_name_uses_the_time_and_iteration_names_it_too(box: Any) -> None:
    box.run(VOCABULARY + "nsml.save()\nnsml.save(iteration=4)")
    first, second = box.list_checkpoints()
    assert first[:2] == "20"
    assert second == "4"


def test_the_same_name_again_loads_the_newer_one(box: Any) -> None:
    done = box.run(
        """
        import nsml
        for text in 'first', 'second':
            nsml.save('best', save_fn=lambda path: open(path + '/m', 'w').write(text))
        nsml.load('best', load_fn=lambda path: print(open(path + '/m').read()))
        nsml.load(None, load_fn=lambda path: print(open(path + '/m').read()))
        """
    )
    assert done.stdout == "second\nsecond\n"


def test_a_missing_model_is_the_key_error_of_nsml(box: Any) -> None:
    done = box.run(
        """
        import nsml
        for arguments in dict(checkpoint='best'), dict(iteration=3, session='bob/kin/1'):
            try:
                nsml.load(**arguments)
            except KeyError as error:
                print(error)
        """
    )
    assert done.stdout == "'No model: alice/kin/7/nsml_model/best'\n'No model: bob/kin/1/nsml_model/3'\n"


OLD_RULE = {
    "a file at the path": (
        "open(path, 'w').write('w')",
        "print(open(path).read())",
        ["model"],
    ),
    "a folder it makes itself": (
        "os.mkdir(path); open(path + '/a', 'w').write('w'); open(path + '/b', 'w')",
        "print(open(path + '/a').read())",
        ["model/a", "model/b"],
    ),
    "a file in a folder, loaded by the file's path": (
        "os.makedirs(path, exist_ok=True); open(path + '/model', 'w').write('w')",
        "print(open(path).read())",
        ["model/model"],
    ),
    "a name made of the path": (
        "numpy.save(path, numpy.ones(1))",
        "print('w' if numpy.load(path).sum() == 1 else '')",
        ["model.npy"],
    ),
    "a framework's words": (
        "open(path, 'w').write('w') if not os.path.isdir(path) else fail('Is a directory')",
        "print(open(path).read())",
        ["model"],
    ),
    "a copied folder": (
        "os.makedirs('made', exist_ok=True); open('made/x', 'w').write('w'); shutil.copytree('made', path)",
        "print(open(path + '/x').read())",
        ["model/x"],
    ),
}


@pytest.mark.parametrize("habit", OLD_RULE)
def test_programs_of_2018_find_the_path_they_expect(box: Any, habit: str) -> None:
    save, load, files = OLD_RULE[habit]
    done = box.run(
        f"""
import os, shutil, numpy, nsml
def fail(text): raise RuntimeError(text)
def save(path): {save}
def load(path): {load}
nsml.bind(save, load)
nsml.save(1)
nsml.load(1)
"""
    )
    assert done.stdout == "w\n"
    assert list_files(box.list_checkpoints()["1"]) == files


def test_of_two_failed_ways_to_load_the_telling_error_is_raised(box: Any) -> None:
    done = box.run(
        """
        import nsml
        nsml.save(1, save_fn=lambda path: open(path + '/only', 'w').write('x'))
        def of_2018(path):
            open(path).read()
            raise ZeroDivisionError('its own')
        def of_2020(path):
            open(path + '/vocabulary')
        for load in of_2018, of_2020:
            try:
                nsml.load(1, load_fn=load)
            except Exception as error:
                print(type(error).__name__, getattr(error, 'filename', '')[-16:])
        """
    )
    assert done.stdout == "ZeroDivisionError \nFileNotFoundError model/vocabulary\n"


def test_a_fork_loads_the_given_checkpoint_and_goes_on(box: Any) -> None:
    box.run(VOCABULARY + "nsml.save('best')")
    box.prepare_submit("best")
    box.mode = "fork"
    done = box.run(VOCABULARY + "nsml.paused(scope=locals())\nnsml.load('best')\nprint('goes on')")
    assert done.stdout == "Paused.\n" + "weights\n['ㄱ']\n" * 2 + "goes on\n"


def test_a_fork_that_saved_the_same_name_anew_loads_its_own_by_name_and_the_given_one_when_paused(box: Any) -> None:
    box.run("import nsml\nnsml.save('best', save_fn=lambda path: open(path + '/m', 'w').write('given'))")
    box.prepare_submit("best")
    box.mode = "fork"
    done = box.run(
        """
        import nsml
        def load(path): print(open(path + '/m').read())
        nsml.bind(lambda path: open(path + '/m', 'w').write('own'), load)
        nsml.save('best')
        nsml.paused()
        nsml.load('best')
        """
    )
    assert done.stdout == "Paused.\ngiven\nown\n"


def test_an_empty_checkpoint_is_told(box: Any) -> None:
    done = box.run("import nsml\nnsml.bind(save=lambda path: None)\nnsml.save('a')\nnsml.save('b')")
    assert done.stderr.count("wrote no file") == 1
    assert [line["files"] for line in box.read_journal("save")] == [0, 0]
