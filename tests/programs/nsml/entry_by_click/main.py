"""The entry is a click command."""

import os
import pickle

import click

import nsml

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


@click.command()
@click.option("--mode", default="train")
@click.option("--pause", default=0)
@click.option("--iteration", default="0")
@click.option("--depth", type=int, default=1)
def main(mode, pause, iteration, depth):
    nsml.bind(save=save, load=load, infer=infer)
    if pause:
        nsml.paused(scope=locals())
    if mode == "train":
        print("depth", depth)
        nsml.save(1)


if __name__ == "__main__":
    main()
