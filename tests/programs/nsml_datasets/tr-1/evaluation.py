"""Told where the labels are."""

import argparse

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    parser.add_argument("--test_label_path", type=str)
    config = parser.parse_args()
    with open(config.prediction) as rows:
        answers = {name: label for name, label, _ in (row.strip().split(",") for row in rows)}
    with open(config.test_label_path) as rows:
        labels = dict(row.split() for row in rows)
    print(sum(answers.get(name) == label for name, label in labels.items()) / len(labels))
