"""NLP Challenge 2018: a list of sentences; each result is a list of tags."""

import os


def test_data_loader(root_path):
    with open(os.path.join(root_path, "test", "test_data"), encoding="utf-8") as rows:
        return rows.read().splitlines()
