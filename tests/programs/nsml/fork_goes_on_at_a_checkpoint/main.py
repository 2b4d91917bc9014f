"""A fork loads in paused, which returns; it counts on from the iteration it is given, as the tutorial of 2018 has it."""

import argparse
import os
import pickle

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
parser.add_argument("--epochs", type=int, default=2)
config = parser.parse_args()

model = {"modulo": 1}


def save(dir_name, **kwargs):
    with open(os.path.join(dir_name, "model"), "wb") as out:
        pickle.dump(model, out)


def load(dir_name, **kwargs):
    with open(os.path.join(dir_name, "model"), "rb") as saved:
        model.update(pickle.load(saved))
    print("model loaded!")


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    print("begins with", model, "at", config.iteration)
    for epoch in range(int(config.iteration), config.epochs):
        model["modulo"] = epoch + 1
        nsml.report(summary=True, step=epoch, epoch=epoch)
        nsml.save(epoch + 1)
