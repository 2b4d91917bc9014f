"""Checks what infer returned, and finds it empty."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    answers = infer_func([])
    with open(output_file, "w") as file_writer:
        file_writer.write("".join(answers))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
