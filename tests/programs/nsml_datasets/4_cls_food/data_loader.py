"""Starthon 2019: infer gets the test folder and returns two lists; "id class" a line."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    ids, classes = infer_func(os.path.join(DATASET_PATH, "test"))
    with open(output_file, "w") as file_writer:
        file_writer.write("\n".join("{} {}".format(name, label) for name, label in zip(ids, classes)))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
