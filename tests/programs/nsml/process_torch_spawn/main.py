"""torch.multiprocessing.spawn: each of two processes binds, reports and saves; a submit predicts in the first."""

import argparse
import os

import nsml
import torch
import torch.multiprocessing as mp

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
    def save(filename, **kwargs):
        torch.save(model.state_dict(), os.path.join(filename, "model.pt"))

    def load(filename, **kwargs):
        model.load_state_dict(torch.load(os.path.join(filename, "model.pt")))

    def infer(raw_data, **kwargs):
        with torch.no_grad():
            return [(1.0, int(answer)) for answer in model(count(raw_data))]

    nsml.bind(save=save, load=load, infer=infer)


def train(rank, config):
    model = Words()
    bind_model(model)
    if config.pause:
        if rank:
            return
        nsml.paused(scope=locals())
    model.modulo.data.fill_(2.0)
    nsml.report(summary=True, step=rank, **{"rank%d" % rank: rank})
    nsml.save("rank%d" % rank)


if __name__ == "__main__":
    mp.spawn(train, args=(parser.parse_args(),), nprocs=2)
