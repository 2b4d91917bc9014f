"""SOChallenge: bind, save and paused are called in a process made by spawn."""

import argparse
import multiprocessing
import os
import pickle
import sys

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


def work(rank, mode, pause):
    nsml.bind(save=save, load=load, infer=infer)
    if pause:
        nsml.paused(scope=locals())
    nsml.report(summary=True, step=1, rank=rank)
    nsml.save("spawned")


if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work, args=(3, config.mode, config.pause))
    process.start()
    process.join()
    sys.exit(process.exitcode)
