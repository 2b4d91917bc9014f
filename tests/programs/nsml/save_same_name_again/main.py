"""The same name again replaces what it held."""

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


def save(path, *args):
    with open(os.path.join(path, "model"), "w") as out:
        out.write(str(model["modulo"]))


def load(path, *args):
    with open(os.path.join(path, "model")) as saved:
        model["modulo"] = int(saved.read())


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    for model["modulo"] in (5, 3, 2):
        nsml.save("latest")
