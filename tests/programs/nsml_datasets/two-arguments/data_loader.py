"""The loader calls infer with two arguments, and with a keyword that not every infer knows."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    with open(os.path.join(DATASET_PATH, "test", "test_data")) as rows:
        lefts, rights = zip(*(row.split() for row in rows))
    answers = infer_func(list(lefts), list(rights), verbose=True)
    with open(output_file, "w") as file_writer:
        file_writer.write("\n".join(str(answer) for answer in answers))
