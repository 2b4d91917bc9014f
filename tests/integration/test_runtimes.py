"""Programs of their time on the frameworks of their time, by the images they name, through the whole platform."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests/programs"
SETTINGS = {"NSML_RUNTIMES": str(Path.home() / ".cache/nsmlctl/runtimes")}  # as `nsmlctl up` finds it by itself

#: The image that is named instead of the program's own, or none; what the log has to say then.
CASES = {
    "tf1.5": ("tf1/character_level", "", "TensorFlow 1.5.0"),
    "tf1": ("tf1/character_level", "tensorflow/tensorflow:1.15.0-gpu-py3", "TensorFlow 1.15.5"),
    "keras2": ("keras2/parity", "", "Keras 2.3.1"),
    "keras2 and torch": ("keras2/beside_torch", "", "Keras 2.3.1 TensorFlow 1.15.5 torch 1.1.0"),
    "torch1": ("torch1/transformer", "", "torch 1.12.1"),
    "torch1.1": ("torch1/parity", "", "torch 1.1.0"),
}

# Only objects are bound: the library knows how each framework is saved, spoilt values are put back by load.
TENSORFLOW = """
import nsml, tensorflow as tf
value = tf.Variable([2.0])
session = tf.Session()
session.run(tf.global_variables_initializer())
nsml.bind(sess=session)
nsml.save('k')
session.run(value.assign([7.0]))
nsml.load('k')
print('loaded', session.run(value)[0])
"""
KERAS = """
import nsml, numpy as np
from keras.layers import Dense
from keras.models import Sequential
model = Sequential([Dense(1, input_dim=1, kernel_initializer='ones')])
model.set_weights([np.array([[2.0]]), np.array([0.0])])
nsml.bind(model=model)
nsml.save('k')
model.set_weights([np.array([[7.0]]), np.array([0.0])])
nsml.load('k')
print('loaded', model.get_weights()[0][0][0])
"""
TORCH = """
import nsml, torch
model = torch.nn.Linear(1, 1)
model.weight.data.fill_(2.0)
nsml.bind(model=model)
nsml.save('k')
model.weight.data.fill_(7.0)
nsml.load('k')
print('loaded', model.weight.item())
"""
OBJECTS = {"tf1": TENSORFLOW, "tf1.5": TENSORFLOW, "keras2": KERAS, "torch1": TORCH, "torch1.1": TORCH}

pytestmark = pytest.mark.runtimes


@pytest.fixture(scope="module")
def datasets(platform: Any) -> dict[str, str]:
    """Which dataset a program is for."""
    platform.ctl("dataset", "push", "kin_pairs", str(ROOT / "examples/kin/dataset"), "-l", "--metric", "accuracy")
    platform.ctl("dataset", "push", "tiny", str(PROGRAMS / "datasets/tiny"), "-l", "--metric", "accuracy")
    return {"character_level": "kin_pairs", "parity": "tiny", "beside_torch": "tiny", "transformer": "tiny"}


@pytest.mark.parametrize("runtime", CASES)
def test_an_unmodified_program_trains_on_its_framework_and_scores(
    platform: Any, datasets: dict[str, str], runtime: str, tmp_path: Path
) -> None:
    program, image, line = CASES[runtime]
    folder = shutil.copytree(PROGRAMS / program, tmp_path / "code")
    expected = tomllib.loads((folder / "expect.toml").read_text())
    if image:
        _, _, rest = (folder / "setup.py").read_text().partition("\n")
        (folder / "setup.py").write_text(f"#nsml: {image}\n{rest}")
    started = platform.json("run", "-d", datasets[Path(program).name], "main.py", cwd=folder)
    assert [note for note in started["notes"] if "default Python" in note] == []
    session = platform.wait_for(started["name"])
    log = platform.ctl("logs", started["name"]).stdout
    assert session["state"] == expected["train"]["state"], (session["message"], log[-2000:])
    assert line in log
    submission = platform.json("submit", started["name"])
    assert submission["state"] == expected["submit"]["state"], submission
    assert submission["score"] > expected["submit"]["above"]


@pytest.mark.parametrize("runtime", OBJECTS)
def test_objects_alone_are_saved_and_loaded_as_their_framework_does(
    platform: Any, runtime: str, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text(f"#nsml: {runtime}\n")
    (tmp_path / "main.py").write_text(OBJECTS[runtime])
    name = platform.json("run", "main.py", cwd=tmp_path)["name"]
    platform.wait_for(name)
    assert "loaded 2.0" in platform.ctl("logs", name).stdout
    assert platform.session(name)["checkpoints"] == 1


def count_made(platform: Any) -> int:
    log: str = (platform.data / "worker.log").read_text()
    return log.count("environment_made")


def test_what_is_installed_already_is_not_installed_again(platform: Any, tmp_path: Path) -> None:
    made = count_made(platform)
    (tmp_path / "requirements.txt").write_text("#nsml: tf1.5\nnumpy\ntensorflow==1.5.0\n")
    (tmp_path / "main.py").write_text("import numpy, tensorflow\nprint(tensorflow.__version__)\n")
    name = platform.json("run", "main.py", cwd=tmp_path)["name"]
    assert platform.wait_for(name)["state"] == "exited"
    assert platform.ctl("logs", name).stdout.endswith("1.5.0\n")
    assert count_made(platform) == made


def test_a_package_is_installed_over_an_old_runtime_once(platform: Any, tmp_path: Path) -> None:
    """`idna` is small, pure and on every index; TensorFlow is seen beside it."""
    (tmp_path / "requirements.txt").write_text("#nsml: tf1.5\nidna==3.7\n")
    (tmp_path / "main.py").write_text("import idna, tensorflow\nprint(idna.__version__, tensorflow.__version__)\n")
    before = count_made(platform)
    for _ in range(2):
        name = platform.json("run", "main.py", cwd=tmp_path)["name"]
        session = platform.wait_for(name)
        assert session["state"] == "exited", (session["message"], platform.ctl("logs", name).stdout)
        assert "3.7 1.5.0" in platform.ctl("logs", name).stdout
    assert count_made(platform) == before + 1
    assert len(list((platform.data / "worker/environments").glob("*.json"))) == 1
