"""Character recognition rate, printed with four digits."""

import argparse
import os

LABEL = "/data/sr-hack-2019-dataset/test/test_label"


def distance(left, right):
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    with open(parser.parse_args().prediction, encoding="utf-8") as rows:
        answers = dict(row.rstrip("\n").split(",", 1) for row in rows)
    answers = {os.path.basename(path): text for path, text in answers.items()}
    with open(LABEL, encoding="utf-8") as rows:
        labels = dict(row.rstrip("\n").split(",", 1) for row in rows)
    errors = sum(distance(answers[name], text) for name, text in labels.items())
    print("%0.4f" % ((1.0 - errors / sum(map(len, labels.values()))) * 100))
