"""numpy's float64 is a number; of its float32 the TypeError says what to write instead."""

import argparse

import numpy as np

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

nsml.report(summary=True, step=1, acc=np.float64(0.25))
nsml.report(summary=True, step=2, loss=np.float32(0.5))
