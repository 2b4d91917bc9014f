"""torch of 2020: an encoder of transformers, AdamW, mixed precision where there is a GPU, a whole model in the checkpoint."""
import argparse
import os

import numpy as np
import torch
from torch import nn
from torch.cuda.amp import GradScaler, autocast
from torch.optim import AdamW

import nsml
from nsml import DATASET_PATH

device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


class Parity(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(16, 16)
        layer = nn.TransformerEncoderLayer(d_model=16, nhead=2, dim_feedforward=32, dropout=0.0)
        self.encode = nn.TransformerEncoder(layer, num_layers=1)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        return self.out(self.encode(self.embed(x).unsqueeze(0)).squeeze(0)).squeeze(-1)


def count_words(rows):
    counts = [min(len(row.split('\t')[0].split()), 15) for row in rows]
    return torch.from_numpy(np.array(counts, dtype=np.int)).to(device)


def bind_model(model):
    def save(dir_name, **kwargs):
        torch.save(model, os.path.join(dir_name, 'model.pt'))

    def load(dir_name, **kwargs):
        model.load_state_dict(torch.load(os.path.join(dir_name, 'model.pt'), map_location=device).state_dict())

    def infer(raw_data, **kwargs):
        model.eval()
        with torch.no_grad():
            probability = torch.sigmoid(torch.cat([model(row.view(1)) for row in count_words(raw_data)]))
        return list(zip(probability.tolist(), (probability > 0.5).long().tolist()))

    nsml.bind(save=save, load=load, infer=infer)


if __name__ == '__main__':
    args = argparse.ArgumentParser()
    args.add_argument('--mode', type=str, default='train')
    args.add_argument('--pause', type=int, default=0)
    args.add_argument('--iteration', type=str, default='0')
    config = args.parse_args()

    torch.manual_seed(7)
    model = Parity().to(device)
    optimizer = AdamW(model.parameters(), lr=0.02)
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())

    if config.mode == 'train':
        print('torch', torch.__version__)
        with open(os.path.join(DATASET_PATH, 'train', 'train_data'), encoding='utf-8') as f:
            x = count_words(f.readlines())
        with open(os.path.join(DATASET_PATH, 'train', 'train_label')) as f:
            y = torch.tensor([float(line) for line in f], device=device)
        scaler = GradScaler(enabled=torch.cuda.is_available())
        for epoch in range(3):
            for _ in range(50):
                with autocast(enabled=torch.cuda.is_available()):
                    # One row is one sequence: rows must not look at each other.
                    logits = torch.cat([model(row.view(1)) for row in x.unique()])[torch.searchsorted(x.unique(), x)]
                    loss = nn.functional.binary_cross_entropy_with_logits(logits, y)
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            nsml.report(summary=True, step=epoch, epoch=epoch, train__loss=loss.item())
            nsml.save(epoch)
