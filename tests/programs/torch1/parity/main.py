# -*- coding: utf-8 -*-
"""torch of 2018: Variables, a checkpoint written to the path itself, a loader with two workers."""
from __future__ import print_function

import argparse
import os

import torch
import torch.nn as nn
from torch.autograd import Variable
from torch.utils.data import DataLoader, TensorDataset

import nsml
from nsml import DATASET_PATH, GPU_NUM


def count_words(rows):
    x = torch.zeros(len(rows), 16)
    for i, row in enumerate(rows):
        x[i, min(len(row.split('\t')[0].split()), 15)] = 1
    return x


def bind_model(model, optimizer):
    def save(filename, *args):
        torch.save({'model': model.state_dict(), 'optimizer': optimizer.state_dict()}, filename)

    def load(filename, *args):
        checkpoint = torch.load(filename)
        model.load_state_dict(checkpoint['model'])
        optimizer.load_state_dict(checkpoint['optimizer'])

    def infer(raw_data, **kwargs):
        model.eval()
        output = torch.sigmoid(model(Variable(count_words(raw_data))))
        return list(zip(output.data.view(-1).tolist(), (output.data.view(-1) > 0.5).long().tolist()))

    nsml.bind(save=save, load=load, infer=infer)


if __name__ == '__main__':
    args = argparse.ArgumentParser()
    args.add_argument('--mode', type=str, default='train')
    args.add_argument('--pause', type=int, default=0)
    args.add_argument('--iteration', type=str, default='0')
    config = args.parse_args()

    model = nn.Linear(16, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    bind_model(model, optimizer)
    if config.pause:
        nsml.paused(scope=locals())

    if config.mode == 'train':
        print('torch', torch.__version__, 'GPUs', GPU_NUM)
        with open(os.path.join(DATASET_PATH, 'train', 'train_data'), encoding='utf-8') as f:
            x = count_words(f.readlines())
        with open(os.path.join(DATASET_PATH, 'train', 'train_label')) as f:
            y = torch.tensor([[float(line)] for line in f])
        loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True, num_workers=2)
        for epoch in range(3):
            for batch, labels in loader:
                for _ in range(20):
                    loss = nn.BCEWithLogitsLoss()(model(Variable(batch)), Variable(labels))
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
            nsml.report(summary=True, scope=locals(), epoch=epoch, epoch_total=3, train__loss=loss.item(), step=epoch)
            nsml.save(epoch)
