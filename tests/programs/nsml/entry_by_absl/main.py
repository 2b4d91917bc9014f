"""The entry is an absl application with flags of its own."""

import os
import pickle

from absl import app, flags

import nsml

FLAGS = flags.FLAGS
flags.DEFINE_string("mode", "train", "")
flags.DEFINE_integer("pause", 0, "")
flags.DEFINE_string("iteration", "0", "")
flags.DEFINE_float("lr", 0.1, "")
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


def main(_):
    nsml.bind(save=save, load=load, infer=infer)
    if FLAGS.pause:
        nsml.paused(scope=locals())
    if FLAGS.mode == "train":
        print("lr", FLAGS.lr)
        nsml.save(1)


if __name__ == "__main__":
    app.run(main)
