import os


def test_data_loader(root_path):
    with open(os.path.join(root_path, "test", "test_data"), encoding="utf-8") as rows:
        return rows.read().splitlines()
