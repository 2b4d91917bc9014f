"""AI RUSH 2021: bind is told `use_nsml_legacy=False`; one text a row; the evaluation is told where the labels are."""

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


def save(dir_path, **kwargs):
    with open(os.path.join(dir_path, "model"), "w") as out:
        out.write("2")


def load(dir_path, **kwargs):
    with open(os.path.join(dir_path, "model")) as saved:
        model["modulo"] = int(saved.read())


def infer(sentences, **kwargs):
    return [str(len(row.split()) % model["modulo"]) for row in sentences]


nsml.bind(save=save, load=load, infer=infer, use_nsml_legacy=False)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.report(summary=True, step=1, train__loss=0.5)
    nsml.save(1)
