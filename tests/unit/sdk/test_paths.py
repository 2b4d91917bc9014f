"""Whichever rule saved a checkpoint, a program of the other years loads it: each saver meets each loader."""

from typing import Any

import pytest

# What a program writes, and which of its loaders can in principle read it: the model's own file name must be known to both.
SAVERS = {
    "2018, a file at the path": "write(path)",
    "2018, a folder it makes itself": "os.makedirs(path, exist_ok=True); write(os.path.join(path, 'model'))",
    "2018, a folder that must not exist": "os.mkdir(path); write(os.path.join(path, 'model'))",
    "2019, in the folder given": "write(os.path.join(path, 'model'))",
}
LOADERS = {
    "2018, the path is a file": "read(path)",
    "2018, a file in the folder given": "read(os.path.join(path, 'model'))",
    "2019, only if it exists": "read(os.path.join(path, 'model')) if os.path.isdir(path) else read(path)",
}
PROGRAM = """
import os, nsml
def write(file): open(file, 'w').write('weights')
def read(file): print(open(file).read())
def save(path, *args): {save}
def load(path, *args): {load}
nsml.bind(save, load)
"""
NO_VOCABULARY = """
import nsml
def load(path):
    print('loading')
    open(path + '/vocabulary')
nsml.bind(load=load)
"""


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("save", SAVERS)
def test_each_saver_is_read_by_each_loader(box: Any, save: str, load: str) -> None:
    program = PROGRAM.format(save=SAVERS[save], load=LOADERS[load])
    assert box.run(program + "nsml.save(1)\nnsml.load(1)").stdout == "weights\n"
    box.prepare_submit("1")
    box.mode = "fork"
    assert box.run(program + "nsml.paused(scope=locals())").stdout == "Paused.\nweights\n"


def test_what_no_rule_can_load_is_told_by_the_first_error(box: Any) -> None:
    box.run("import nsml\nnsml.save(1, save_fn=lambda path: open(path + '/only', 'w').write('x'))")
    done = box.run(NO_VOCABULARY + "nsml.load(1)", fails=True)
    assert "/model/vocabulary'" in done.stderr.strip().splitlines()[-1]
    assert box.read_journal("error")[-1]["phase"] == "load"


# LightGBM's errors say nothing that Python's own would: a folder is not writable, and reads as a file with nothing in it.
LIGHTGBM = """
import os, nsml
class LightGBMError(Exception): pass
def save(path, *args):
    if os.path.isdir(path):
        raise LightGBMError('Model file %s is not available for writes' % path)
    open(path, 'w').write('tree')
def load(path, *args):
    if os.path.isdir(path):
        raise LightGBMError('Unknown model format or submodel type in model file %s' % path)
    print(open(path).read())
nsml.bind(save, load)
"""


def test_a_framework_with_words_of_its_own_saves_a_file_and_loads_it(box: Any) -> None:
    assert box.run(LIGHTGBM + "nsml.save(1)\nnsml.load(1)").stdout == "tree\n"
    into_the_folder = "lambda path: open(os.path.join(path, 'only'), 'w').write('leaf')"
    assert box.run(LIGHTGBM + f"nsml.save(2, save_fn={into_the_folder})\nnsml.load(2)").stdout == "leaf\n"


@pytest.mark.parametrize(
    ("save", "told"),
    [
        (
            "open(path, 'w').write(1)",
            "TypeError",
        ),  # made for the rule of 2018: the folder was in its way, and then its own error
        ("open(path + '/sub/model', 'w')", "/model/sub/model'"),
        ("open('/nowhere/vocabulary')", "'/nowhere/vocabulary'"),
        ("1 / 0", "ZeroDivisionError"),
        ("open(path + '/model', 'w').write(1)", "TypeError"),
    ],
)
def test_what_no_rule_can_save_is_told_by_the_error_of_the_rule_it_was_made_for(box: Any, save: str, told: str) -> None:
    done = box.run(f"import nsml\nnsml.save(1, save_fn=lambda path: {save})", fails=True)
    assert told in done.stderr.strip().splitlines()[-1]
    assert list(box.list_checkpoints()) == []
    assert list((box.home / "checkpoints").iterdir()) == []


TENSORFLOW_1 = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
weights = tf.get_variable('weights', initializer=tf.constant([1.0, 2.0]))
sess = tf.Session()
zero = weights.assign([0.0, 0.0])
sess.run(tf.global_variables_initializer())
def write(path): tf.train.Saver().save(sess, path)
def read(path): tf.train.Saver().restore(sess, path)
def forget(): sess.run(zero)
def check(): assert list(sess.run(weights)) == [1.0, 2.0]
"""
TORCH = """
import torch
model = torch.nn.Linear(2, 1)
before = model.weight.detach().clone()
def write(path): torch.save(model.state_dict(), path)
def read(path): model.load_state_dict(torch.load(path))
def forget(): torch.nn.init.zeros_(model.weight)
def check(): assert torch.equal(model.weight, before)
"""
KERAS = """
import keras
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
before = model.get_weights()
def write(path): model.save_weights(path + '.weights.h5')
def read(path): model.load_weights(path if os.path.isfile(path) else path + '.weights.h5')
def forget(): model.set_weights([weight * 0 for weight in before])
def check(): assert all((a == b).all() for a, b in zip(model.get_weights(), before))
"""
BOTH_RULES = """
import nsml, os
for save in '', 'model':
    for load in '', 'model':
        nsml.save(1, save_fn=lambda path: write(os.path.join(path, save) if save else path))
        forget()
        nsml.load(1, load_fn=lambda path: read(os.path.join(path, load) if load else path))
        check()
"""


@pytest.mark.frameworks
@pytest.mark.parametrize("framework", [TENSORFLOW_1, TORCH, KERAS], ids=["tensorflow 1", "torch", "keras"])
def test_a_framework_saves_and_loads_by_either_rule(box: Any, framework: str) -> None:
    box.run("import os\n" + framework + BOTH_RULES)
