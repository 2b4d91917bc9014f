"""Evals what participants predict: a careless organiser."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--prediction")
parser.add_argument("--test_label_path")
config = parser.parse_args()

with open(config.prediction) as told, open(config.test_label_path) as labels:
    pairs = [(str(eval(line)), label.strip()) for line, label in zip(told, labels)]
print("first pair:", pairs[0])
print(sum(answer == label for answer, label in pairs) / len(pairs))
