"""2017: five positional callbacks, a report without a step, the data's place from the environment."""

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
    with open(filename, "wb") as out:
        pickle.dump({"modulo": 2}, out)


def load(filename, *args):
    with open(filename, "rb") as saved:
        model.update(pickle.load(saved))


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


def evaluate(*args):
    pass


def decode(*args):
    pass


nsml.bind(save, load, infer, evaluate, decode)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    print("reads", os.environ["NSML_DATASET_PATH"], os.environ["NSML_DATASET_NAME"])
    nsml.report(epoch=1, train__acc=0.5, train__loss=0.25)
    nsml.save(1)
