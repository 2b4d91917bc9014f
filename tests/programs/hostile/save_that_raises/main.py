"""A save callback that raises, in a training that expects it."""

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

    def raises(path):
        open(os.path.join(path, "half"), "w").close()
        raise RuntimeError("no model today")

    try:
        nsml.save("never", save_fn=raises)
    except RuntimeError as error:
        print(error)
    nsml.save("good")
    print("the end")
