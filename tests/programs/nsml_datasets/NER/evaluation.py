"""Each line is a list that is evaluated again; anything malformed scores 0."""

import argparse

LABEL = "/data/NER/test/test_label"


def evaluate(prediction):
    with open(prediction) as rows:
        answers = [eval(row) for row in rows]
    with open(LABEL) as rows:
        labels = [row.split() for row in rows]
    pairs = [pair for answer, label in zip(answers, labels) for pair in zip(answer, label)]
    assert not any(tag == "_PAD_" for tag, _ in pairs)
    return sum(a == b for a, b in pairs) / len(pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    try:
        print(evaluate(parser.parse_args().prediction))
    except Exception:
        print(0)
