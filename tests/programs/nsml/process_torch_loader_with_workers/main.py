"""DataLoader(num_workers=2): what the workers report arrives as well as what the loop does."""

import argparse
import os

import nsml
import torch
from torch.utils.data import DataLoader, Dataset

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


class Rows(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, row):
        nsml.report(step=row, seen=row)
        return float(row)


if __name__ == "__main__":
    config = parser.parse_args()
    model = Words()
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        rows = sum(len(batch) for batch in DataLoader(Rows(), batch_size=4, num_workers=2))
        model.modulo.data.fill_(2.0)
        nsml.report(summary=True, step=rows, rows=rows)
        nsml.save("loaded")
