"""Starthon 2019: infer gets the test folder; `str(pred[1])` a line."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    result = infer_func(os.path.join(DATASET_PATH, "test"))
    with open(output_file, "w") as file_writer:
        file_writer.write("\n".join(str(pred[1]) for pred in result))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
