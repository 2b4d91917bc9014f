"""AI RUSH 2021: the loader reads the rows itself; one text a line."""

import os

from nsml.constants import DATASET_PATH


def test_data_loader(root_path):
    with open(os.path.join(root_path, "test", "test_data"), encoding="utf-8") as rows:
        return rows.read().splitlines()


def feed_infer(output_file, infer_func):
    prediction = infer_func(test_data_loader(DATASET_PATH))
    with open(output_file, "w") as file_writer:
        file_writer.write("\n".join(str(label) for label in prediction))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
