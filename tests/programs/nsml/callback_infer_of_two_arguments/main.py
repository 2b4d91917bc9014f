"""The loader calls infer_func(a, b, verbose=True), and infer has never heard of verbose."""

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


def save(save_folder, **kwargs):
    os.makedirs(save_folder, exist_ok=True)
    with open(os.path.join(save_folder, "model"), "wb") as out:
        pickle.dump({"modulo": 2}, out)
    with open(os.path.join(save_folder, "words"), "wb") as out:
        pickle.dump([], out)


def load(save_folder, **kwargs):
    with open(os.path.join(save_folder, "model"), "rb") as saved:
        model.update(pickle.load(saved))


def infer(lefts, rights):
    return [int(left == right) for left, right in zip(lefts, rights)]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
