"""The run's own arguments are there again at the submit: the model's shape depends on them."""

import argparse
import os
import pickle

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--name", default="")
config = parser.parse_args()

model = {}


def save(path, *args):
    with open(os.path.join(path, "model"), "w") as out:
        out.write(str(config.hidden))


def load(path, *args):
    with open(os.path.join(path, "model")) as saved:
        assert config.hidden == int(saved.read()), "another shape"


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % config.hidden) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
