"""save writes one file into the folder (2019); load opens its path as the file (2018)."""

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
    with open(os.path.join(save_folder, "weights.pkl"), "w") as out:
        out.write("2")


def load(file_name, *args):
    with open(file_name) as saved:
        model["modulo"] = int(saved.read())


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
