# -*- coding: utf-8 -*-
"""Words made by Keras' tools, a model of torch on them: the image had both, so setup.py asks for neither."""
from __future__ import print_function

import argparse
import os

import keras
import numpy as np
import tensorflow as tf
import torch
import torchvision.transforms as transforms
from keras.preprocessing.sequence import pad_sequences
from torch import nn

import nsml
from nsml import DATASET_PATH

to_tensor = transforms.Compose([transforms.Lambda(torch.from_numpy), transforms.Lambda(torch.Tensor.float)])


def count_words(rows):
    counts = [len(row.split('\t')[0].split()) for row in rows]
    words = pad_sequences([[1] * count for count in counts], maxlen=15)
    return to_tensor(np.eye(16)[words.sum(axis=1)])


def bind_model(model):
    def save(dir_name, *args):
        torch.save(model.state_dict(), os.path.join(dir_name, 'model.pt'))

    def load(dir_name, *args):
        model.load_state_dict(torch.load(os.path.join(dir_name, 'model.pt')))

    def infer(raw_data, **kwargs):
        probability = torch.sigmoid(model(count_words(raw_data))).view(-1)
        return list(zip(probability.tolist(), (probability > 0.5).long().tolist()))

    nsml.bind(save=save, load=load, infer=infer)


if __name__ == '__main__':
    args = argparse.ArgumentParser()
    args.add_argument('--mode', type=str, default='train')
    args.add_argument('--pause', type=int, default=0)
    args.add_argument('--iteration', type=str, default='0')
    config = args.parse_args()

    model = nn.Linear(16, 1)
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())

    if config.mode == 'train':
        with tf.Session() as session:
            one = session.run(tf.constant(1.0))
        print('Keras', keras.__version__, 'TensorFlow', tf.__version__, 'torch', torch.__version__)
        with open(os.path.join(DATASET_PATH, 'train', 'train_data'), encoding='utf-8') as f:
            x = count_words(f.readlines())
        with open(os.path.join(DATASET_PATH, 'train', 'train_label')) as f:
            y = torch.tensor([[float(line)] for line in f])
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for epoch in range(3):
            for _ in range(50):
                loss = nn.functional.binary_cross_entropy_with_logits(model(x), y) * float(one)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            nsml.report(summary=True, step=epoch, epoch=epoch, train__loss=loss.item())
            nsml.save(epoch)
