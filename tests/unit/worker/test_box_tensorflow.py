"""The v1 mode of TensorFlow 2 in boxes of tf1-on-2: what an old program finds, and that no other box has any of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from nsml_worker.box_plan import make_environment
from nsml_worker.contract import Environment, RunKind, RunSpec
from nsml_worker.interpreter import Interpreter
from nsml_worker.sdk_folder import write_sdk

OLD = """
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops
assert ops.get_default_graph() is tf.get_default_graph()
x = tf.placeholder(tf.float32, [None, 2])
y = tf.layers.dense(x, 1, kernel_initializer=tf.ones_initializer())
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    print(session.run(y, {x: np.ones([1, 2], np.float)}).astype(np.int).tolist(), np.array(['a'], dtype=np.object)[0])
print(hasattr(tf, 'contrib'), np.zeros(1, np.bool).dtype, np.NaN != np.NaN, np.product([2, 3]))
import nsml
print(nsml.__name__)
"""


def run(folder: Path, program: str, **variables: str) -> str:
    sdk = write_sdk(folder)
    environment = {"PYTHONPATH": str(sdk), "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def environment_of(runtime: str | None) -> dict[str, str]:
    words = ("python", "-u", "main.py")
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "x", words, (), environment_of=Environment(runtime=runtime))
    return make_environment(spec, Interpreter("/usr/bin/python3"), [])


@pytest.mark.frameworks
def test_a_program_for_tensorflow_1_finds_what_it_knows(tmp_path: Path) -> None:
    assert run(tmp_path, OLD, NSML_TENSORFLOW="1").splitlines() == ["[[2]] a", "False bool True 6", "nsml"]


def test_numpy_gets_back_the_names_it_has_dropped_and_keeps_its_own(tmp_path: Path) -> None:
    program = "import numpy as np; own = np.float64; print(np.int(3.7), np.unicode_ is np.str_, np.float64 is own)"
    assert run(tmp_path, program, NSML_TENSORFLOW="1") == "3 True True\n"


def test_nothing_is_imported_before_the_program_does_so(tmp_path: Path) -> None:
    program = "import sys; print([name for name in ('numpy', 'tensorflow', 'keras') if name in sys.modules])"
    assert run(tmp_path, program, NSML_TENSORFLOW="1") == "[]\n"


def test_other_boxes_have_none_of_it(tmp_path: Path) -> None:
    assert environment_of("tf1-on-2")["NSML_TENSORFLOW"] == "1"
    assert "NSML_TENSORFLOW" not in environment_of(None)
    assert "NSML_TENSORFLOW" not in environment_of("tf1")
    assert run(tmp_path, "import sys, numpy; print('nsml_tensorflow' in sys.modules, hasattr(numpy, 'int'))") == (
        "False False\n"
    )
