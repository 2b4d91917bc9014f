"""The prediction is JSON."""

import argparse
import json

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    parser.add_argument("--test_label_path", type=str)
    config = parser.parse_args()
    with open(config.prediction) as one, open(config.test_label_path) as other:
        answers, labels = json.load(one), json.load(other)
    answers = {answer["filename"]: answer["text"] for answer in answers}
    print(sum(answers.get(name) == label for name, label in labels.items()) / len(labels))
