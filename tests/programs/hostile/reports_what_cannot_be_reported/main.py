"""Tensors, nests, a million names, a name of a megabyte."""

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
    return [(1.0, len(row.split("\t")[0].split()) % 2) for row in rows]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    for values in ({"model": object()}, {"bytes": b"x"}, {"set": {1, 2}}):
        try:
            nsml.report(summary=True, step=1, **values)
        except TypeError as error:
            print("TypeError:", error)
    nsml.report(summary=True, step=2, loss=float("nan"), deep={"a": {"b": {"c": 1}}})
    nsml.report(summary=True, step=3, **{"name%d" % number: number for number in range(1000000)})
    nsml.report(summary=True, step=4, **{"x" * (1 << 20): 1.0})
    nsml.report(summary=True, step=5, loss=0.5)
    nsml.save(1)
    print("went on")
