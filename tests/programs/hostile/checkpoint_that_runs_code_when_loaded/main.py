"""A pickle that plants a file: in the box it is loaded in, and nowhere else."""

import argparse
import os

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()


def infer(rows):
    return [(1.0, len(row.split("\t")[0].split()) % 2) for row in rows]


class Planted:
    def __reduce__(self):
        return os.system, ("touch /tmp/planted-by-a-pickle",)


def save(path):
    import pickle

    with open(os.path.join(path, "model.pkl"), "wb") as out:
        pickle.dump(Planted(), out)


def load(path):
    import pickle

    with open(os.path.join(path, "model.pkl"), "rb") as saved:
        pickle.load(saved)
    assert os.path.exists("/tmp/planted-by-a-pickle")


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.save(1)
