"""2020 and later: told where the labels are; anything malformed scores 0."""

import argparse


def read(path):
    with open(path) as rows:
        return [int(row) for row in rows.read().split()]


def evaluate(prediction, label):
    answers, labels = read(prediction), read(label)
    assert len(answers) == len(labels)
    return sum(a == b for a, b in zip(answers, labels)) / len(labels)


if __name__ == "__main__":
    args = argparse.ArgumentParser()
    args.add_argument("--prediction", type=str, default="pred.txt")
    args.add_argument("--test_label_path", type=str)
    config = args.parse_args()
    try:
        print(evaluate(config.prediction, config.test_label_path))
    except Exception:
        print(0.0)
