"""--prediction only; the label's path is written down here."""

import argparse

LABEL = "/data/4_cls_food/test/test_label"


def read(path):
    with open(path) as rows:
        return dict(row.split() for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    answers, labels = read(parser.parse_args().prediction), read(LABEL)
    print(sum(answers.get(name) == label for name, label in labels.items()) / len(labels))
