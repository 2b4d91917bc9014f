"""Extra keywords of bind are given to save."""

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


def save(dir_name, *args, **kwargs):
    with open(os.path.join(dir_name, "model"), "w") as out:
        out.write("2" if kwargs["real"] else "3")


def load(dir_name, *args, **kwargs):
    with open(os.path.join(dir_name, "model")) as saved:
        model["modulo"] = int(saved.read())


def infer(input, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in input]


nsml.bind(save=save, load=load, infer=infer, real=True)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
