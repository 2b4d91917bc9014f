"""Asks for a pause only while it trains: at a submit, where the mode is test, it never gets there."""

import argparse
import os

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
args = parser.parse_args()


def save(dir_name, *args):
    with open(os.path.join(dir_name, "model"), "w") as out:
        out.write("2")


def load(dir_name, *args):
    print("model loaded!")


def infer(raw_data, **kwargs):
    return [(1.0, 0) for row in raw_data]


nsml.bind(save=save, load=load, infer=infer)
if args.mode == "train":
    if args.pause:
        nsml.paused(scope=locals())
    nsml.save(1)
