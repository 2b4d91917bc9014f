"""Mean average precision at 1000. The label's path is written down here, as it was before 2020."""

import argparse
import ast

LABEL = "/data/ir_ph1/test/test_label"


def read_labels():
    with open(LABEL) as labels:
        return {query: set(rest.split(",")) for query, rest in (line.split() for line in labels)}


def average_precision(answers, wanted):
    hits, total = 0, 0.0
    for rank, answer in enumerate(answers[:1000], 1):
        if answer in wanted:
            hits += 1
            total += hits / rank
    return total / len(wanted)


def evaluate(prediction):
    labels = read_labels()
    with open(prediction) as rows:
        answers = dict(ast.literal_eval(row) for row in rows)
    return sum(average_precision(answers[query], wanted) for query, wanted in labels.items()) / len(labels)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    print(evaluate(parser.parse_args().prediction))
