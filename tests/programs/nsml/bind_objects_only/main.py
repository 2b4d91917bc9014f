"""Nothing but objects is bound: the default saver writes them and puts them back."""

import argparse

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

vocabulary = {}


def infer(raw_data, **kwargs):
    return [(1.0, len(row.split()) % vocabulary["modulo"]) for row in raw_data]


nsml.bind(vocabulary=vocabulary, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    vocabulary["modulo"] = 2
    nsml.save("objects")
