"""AI RUSH 2020: infer gets the test folder and returns a DataFrame."""

import os

try:
    from nsml.constants import DATASET_PATH
except ImportError:
    DATASET_PATH = "./data"


def feed_infer(output_file, infer_func):
    result = infer_func(os.path.join(DATASET_PATH, "test"))
    result.to_csv(output_file, index=False)
