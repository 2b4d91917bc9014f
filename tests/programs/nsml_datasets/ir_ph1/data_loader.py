"""AI-Vision 2018: a tuple becomes two arguments of infer."""

import os


def test_data_loader(data_path):
    folder = os.path.join(data_path, "test", "test_data")
    return sorted(os.listdir(os.path.join(folder, "query"))), sorted(os.listdir(os.path.join(folder, "reference")))
