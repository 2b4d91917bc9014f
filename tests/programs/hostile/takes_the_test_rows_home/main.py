"""Prints, reports and saves what it is asked about, and raises with it."""

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
    print(rows)
    nsml.report(summary=True, step=1, **{row: 1.0 for row in rows[:5]})
    with open("stolen", "w") as file:
        file.write(repr(rows))
    try:
        nsml.save(rows[0])
        nsml.save("stolen")
    except Exception as error:
        print(error)
    raise RuntimeError(rows[0])


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.save(1)
