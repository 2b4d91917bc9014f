"""argparse knows nothing of --mode and --pause: said when it is run, and at the submit."""

import argparse
import os
import pickle

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
config = parser.parse_args()

model = {}


def save(dir_name, *args):
    os.makedirs(dir_name, exist_ok=True)
    with open(os.path.join(dir_name, "model"), "wb") as out:
        pickle.dump({"modulo": 2}, out)
    with open(os.path.join(dir_name, "words"), "wb") as out:
        pickle.dump([], out)


def load(dir_name, *args):
    with open(os.path.join(dir_name, "model"), "rb") as saved:
        model.update(pickle.load(saved))


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
nsml.save(1)
if False:
    nsml.paused(scope=locals())
