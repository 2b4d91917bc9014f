"""Starthon 2019: a keyword call; the answers are joined by blanks on one line."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    pred = infer_func(os.path.join(DATASET_PATH, "test"), phase="test")
    with open(output_file, "w") as file_writer:
        file_writer.write(" ".join(str(label) for label in pred))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
