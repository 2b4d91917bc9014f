"""A good answer, and an evaluation that never ends: the organiser's fault."""

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
    nsml.save(1)
