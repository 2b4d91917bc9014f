"""2022: infer gets a folder and returns a list of dicts, written as JSON."""

import json
import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    answers = infer_func(os.path.join(DATASET_PATH, "test", "test_data"))
    with open(output_file, "w", encoding="utf-8") as file_writer:
        json.dump(answers, file_writer, ensure_ascii=False)
