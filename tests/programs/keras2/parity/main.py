# -*- coding: utf-8 -*-
"""Keras while it was a package of its own: fit_generator, output_dim's grandchildren, weights in one file of HDF5."""
from __future__ import print_function

import argparse
import os

import keras
import numpy as np
from keras.layers import Dense, Input
from keras.models import Model
from keras.optimizers import Adam

import nsml
from nsml import DATASET_PATH


def count_words(rows):
    counts = [len(row.split('\t')[0].split()) for row in rows]
    return np.eye(16)[np.minimum(counts, 15)]


def bind_model(model):
    def save(dir_name):
        model.save_weights(os.path.join(dir_name, 'model.h5'))

    def load(file_path):
        model.load_weights(file_path)

    def infer(raw_data, **kwargs):
        probability = model.predict(count_words(raw_data)).flatten()
        return list(zip(probability, (probability > 0.5).astype(int)))

    nsml.bind(save=save, load=load, infer=infer)


class Reporter(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        nsml.report(summary=True, step=epoch, epoch=epoch, train__acc=float(logs['accuracy']))
        nsml.save(epoch)


if __name__ == '__main__':
    args = argparse.ArgumentParser()
    args.add_argument('--mode', type=str, default='train')
    args.add_argument('--pause', type=int, default=0)
    args.add_argument('--iteration', type=str, default='0')
    config = args.parse_args()

    inputs = Input(shape=(16,))
    model = Model(inputs=inputs, outputs=Dense(1, activation='sigmoid')(inputs))
    model.compile(loss='binary_crossentropy', optimizer=Adam(lr=0.1), metrics=['accuracy'])
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())

    if config.mode == 'train':
        print('Keras', keras.__version__)
        with open(os.path.join(DATASET_PATH, 'train', 'train_data'), encoding='utf-8') as f:
            x = count_words(f.readlines())
        with open(os.path.join(DATASET_PATH, 'train', 'train_label')) as f:
            y = np.array([float(line) for line in f])
        model.fit_generator(((x, y) for _ in range(200)), steps_per_epoch=50, epochs=3, callbacks=[Reporter()], verbose=0)
