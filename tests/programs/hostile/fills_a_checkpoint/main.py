"""A model that does not end."""

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

    def endless(path):
        with open(os.path.join(path, "model"), "wb", buffering=0) as out:
            block = os.urandom(4 << 20)
            while True:
                out.write(block)

    nsml.bind(save=endless)
    nsml.save("endless")
