"""Geometric mean of the classes' F1; told where the labels are; 0 when anything is malformed."""

import argparse
import csv


def read(path):
    with open(path) as rows:
        return {row["filename"]: row["y_pred"] for row in csv.DictReader(rows)}


def f1(pairs, label):
    right = sum(a == b == label for a, b in pairs)
    return 2 * right / max(1, sum((a == label) + (b == label) for a, b in pairs))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    parser.add_argument("--test_label_path", type=str)
    config = parser.parse_args()
    try:
        answers, labels = read(config.prediction), read(config.test_label_path)
        pairs = [(answers[name], label) for name, label in labels.items()]
        print((f1(pairs, "normal") * f1(pairs, "spam")) ** 0.5)
    except Exception:
        print(0)
