"""Without -d the session is USER/None/N, and the constants say so."""

import argparse

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

print(repr(nsml.DATASET_PATH), nsml.HAS_DATASET, nsml.IS_ON_NSML, nsml.SESSION_NAME)
nsml.report(summary=True, step=1, loss=0.5)
