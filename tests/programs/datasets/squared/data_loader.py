"""Reads the test rows, hands them to infer at once, writes one answer a line."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    with open(os.path.join(DATASET_PATH, "test", "test_data"), encoding="utf-8") as rows:
        answers = infer_func([row.rstrip("\n") for row in rows])
    with open(output_file, "w", encoding="utf-8") as out:
        out.write("\n".join(str(result) for _, result in answers))
