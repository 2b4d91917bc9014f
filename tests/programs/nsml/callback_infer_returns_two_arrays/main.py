"""Two numpy arrays, names and classes, are zipped by the loader."""

import argparse
import os
import pickle

import numpy as np

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


def infer(data_path, **kwargs):
    names = sorted(os.listdir(os.path.join(data_path, "test_data")))
    return np.array([name[:-4] for name in names]), np.zeros(len(names), dtype=int)


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
