"""nsml infer: paused loads and answers, each question in the scope it was given."""

import argparse
import os
import pickle

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

model = {}


def save(dir_name, *args):
    with open(os.path.join(dir_name, "model"), "wb") as out:
        pickle.dump({"modulo": 2}, out)


def load(dir_name, *args):
    with open(os.path.join(dir_name, "model"), "rb") as saved:
        model.update(pickle.load(saved))


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.save("best")
else:
    raise SystemExit("paused has returned")
