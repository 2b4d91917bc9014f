"""A scikit-learn model is bound as an object."""

import argparse

from sklearn.linear_model import LogisticRegression

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

model = LogisticRegression()


def infer(raw_data, **kwargs):
    answers = model.predict([[len(row.split()) % 2] for row in raw_data])
    return [(1.0, int(answer)) for answer in answers]


nsml.bind(model=model, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    model.fit([[0], [1], [0], [1]], [0, 1, 0, 1])
    nsml.save("sklearn")
