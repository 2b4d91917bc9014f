"""bind(model=…) with a torch module: the default saver writes its weights."""

import argparse

import nsml
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")


class Words(torch.nn.Module):
    """Is the number of words odd? What it has learned is one weight."""

    def __init__(self):
        super().__init__()
        self.modulo = torch.nn.Parameter(torch.ones(1))

    def forward(self, counts):
        return counts % self.modulo


def count(rows):
    return torch.tensor([float(len(row.split())) for row in rows])


def bind_model(model):
    def infer(raw_data, **kwargs):
        with torch.no_grad():
            return [(1.0, int(answer)) for answer in model(count(raw_data))]

    nsml.bind(model=model, infer=infer)


if __name__ == "__main__":
    config = parser.parse_args()
    model = Words()
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        model.modulo.data.fill_(2.0)
        nsml.save("best")
