"""NSML's own sample of 2019 calls nsml.copy and nsml.cache; both were gone from the stub by then."""

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


def preprocess(output_path, data):
    with open(output_path[0], "wb") as out:
        pickle.dump([row.upper() for row in data], out)


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    for _ in range(2):
        nsml.cache(preprocess, output_path=["./processed"], data=["a", "b"])
    with open("./processed", "rb") as cached:
        print("cached", pickle.load(cached))
    source, target = {"modulo": 2}, {"modulo": 1}
    nsml.copy(source, target)
    print("copied", target)
    nsml.save(1)
