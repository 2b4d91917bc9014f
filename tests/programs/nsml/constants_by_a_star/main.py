"""`from nsml import *` brings the calls and the constants."""

import argparse
import os
import pickle

from nsml import *

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

model = {}
print(IS_ON_NSML, HAS_DATASET, DATASET_NAME, GPU_NUM, SESSION_NAME, NSML_NFS_OUTPUT == "")


def save_model(dir_name, *args):
    os.makedirs(dir_name, exist_ok=True)
    with open(os.path.join(dir_name, "model"), "wb") as out:
        pickle.dump({"modulo": 2}, out)
    with open(os.path.join(dir_name, "words"), "wb") as out:
        pickle.dump([], out)


def load_model(dir_name, *args):
    with open(os.path.join(dir_name, "model"), "rb") as saved:
        model.update(pickle.load(saved))


def infer_model(raw_data, **kwargs):
    return [(1.0, len(row.split()) % model["modulo"]) for row in raw_data]


bind(save=save_model, load=load_model, infer=infer_model)
if config.pause:
    paused(scope=locals())
if config.mode == "train":
    report(summary=True, step=1, loss=0.5)
    save("best")
