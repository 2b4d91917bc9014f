import argparse
import os
import pickle

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()

VOCABULARY = {}


def save(path):
    with open(os.path.join(path, "model"), "w") as out:
        out.write("counts words that the vocabulary knows")
    with open(os.path.join(os.path.dirname(path), "vocabulary.pkl"), "wb") as out:
        pickle.dump(VOCABULARY, out)


def load(path):
    with open(os.path.join(os.path.dirname(path), "vocabulary.pkl"), "rb") as saved:
        VOCABULARY.update(pickle.load(saved))


def infer(rows):
    return [(1.0, sum(word in VOCABULARY for word in row.split("\t")[0].split()) % 2) for row in rows]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data"), encoding="utf-8") as rows:
        for row in rows:
            VOCABULARY.update(dict.fromkeys(row.split("\t")[0].split(), 1))
    nsml.save("with its vocabulary")
