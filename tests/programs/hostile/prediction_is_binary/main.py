"""Bytes that are no text."""

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
    with open(os.path.join(os.environ["NSML_HOME"], "out", "prediction"), "wb") as out:
        out.write(bytes(range(256)) * 100)
    os._exit(0)


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.save(1)
