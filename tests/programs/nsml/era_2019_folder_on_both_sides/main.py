"""July 2019: an existing folder for save and the same for load; infer gets the test folder."""

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
    with open(os.path.join(dir_name, "words"), "wb") as out:
        pickle.dump([], out)


def load(dir_name, *args):
    with open(os.path.join(dir_name, "model"), "rb") as saved:
        model.update(pickle.load(saved))


def infer(root_path):
    names = sorted(os.listdir(os.path.join(root_path, "test_data")))
    kinds = []
    for name in names:
        with open(os.path.join(root_path, "test_data", name)) as image:
            kinds.append(int(image.read().strip() != "rice"))
    return [name.split(".")[0] for name in names], kinds


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
