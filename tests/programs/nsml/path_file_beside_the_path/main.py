"""save writes the path and a second file whose name begins like it; both travel."""

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


def save(filename, *args):
    with open(filename, "w") as out:
        out.write("2")
    with open(filename + ".vocab", "w") as out:
        out.write("word")


def load(filename, **kwargs):
    with open(filename) as saved, open(filename + ".vocab") as words:
        model["modulo"], model["words"] = int(saved.read()), words.read()


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
