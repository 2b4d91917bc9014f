# -*- coding: utf-8 -*-
"""Character-level convolutional network over pairs of questions, in the TensorFlow of 2018."""
from __future__ import print_function

import argparse
import os
import pickle

import numpy as np
import tensorflow as tf

import nsml
from nsml import DATASET_PATH, HAS_DATASET, IS_ON_NSML

PAD, UNKNOWN = 0, 1


class Vocabulary(object):
    def __init__(self, size):
        self.size = size
        self.characters = {}

    def fit(self, questions):
        counts = {}
        for question in questions:
            for character in question:
                counts[character] = counts.get(character, 0) + 1
        kept = sorted(counts, key=lambda character: (-counts[character], character))[:self.size - 2]
        self.characters = dict((character, number) for number, character in enumerate(kept, 2))

    def encode(self, questions, length):
        rows = np.zeros((len(questions), length), dtype=np.int32)
        for row, question in zip(rows, questions):
            numbers = [self.characters.get(character, UNKNOWN) for character in question][:length]
            row[:len(numbers)] = numbers
        return rows


def bind_model(sess, vocabulary, config):
    def save(dir_name, *args):
        if not os.path.exists(dir_name):
            os.makedirs(dir_name)
        tf.train.Saver().save(sess, os.path.join(dir_name, 'model'))
        with open(os.path.join(dir_name, 'vocabulary.pkl'), 'wb') as f:
            pickle.dump(vocabulary.characters, f)

    def load(dir_name, *args):
        checkpoint = tf.train.get_checkpoint_state(dir_name)
        if checkpoint and checkpoint.model_checkpoint_path:
            name = os.path.basename(checkpoint.model_checkpoint_path)
            tf.train.Saver().restore(sess, os.path.join(dir_name, name))
        else:
            raise NotImplementedError('No checkpoint found!')
        with open(os.path.join(dir_name, 'vocabulary.pkl'), 'rb') as f:
            vocabulary.characters = pickle.load(f)

    def infer(raw_data, **kwargs):
        left, right = split_pairs(raw_data)
        feed = {x1: vocabulary.encode(left, config.strmaxlen), x2: vocabulary.encode(right, config.strmaxlen),
                is_training: False}
        probability = sess.run(output, feed_dict=feed)
        return list(zip(probability.flatten(), (probability.flatten() > config.threshold).astype(int)))

    nsml.bind(save=save, load=load, infer=infer)


def split_pairs(lines):
    pairs = [line.strip('\n').split('\t') for line in lines]
    return [pair[0].replace(' ', '') for pair in pairs], [pair[1].replace(' ', '') for pair in pairs]


def get_variable(name, shape):
    return tf.get_variable(name, shape, initializer=tf.truncated_normal_initializer(stddev=0.1))


def encode_question(x, embedding, config, reuse):
    with tf.variable_scope('encoder', reuse=reuse):
        embedded = tf.nn.embedding_lookup(embedding, x)
        mask = tf.expand_dims(tf.cast(tf.not_equal(x, PAD), tf.float32), 2)
        pooled = [tf.reduce_sum(embedded * mask, axis=1)]
        for width in (2, 3):
            kernel = get_variable('kernel_%d' % width, [width, config.embedding, config.filters])
            hidden = tf.nn.tanh(tf.nn.conv1d(embedded, kernel, 1, 'SAME'))
            pooled.append(tf.reduce_sum(hidden * mask, axis=1))
        return tf.nn.l2_normalize(tf.concat(pooled, axis=1), dim=1)


def get_batches(arrays, size):
    order = np.random.permutation(len(arrays[0]))
    for start in range(0, len(order), size):
        chosen = order[start:start + size]
        yield [array[chosen] for array in arrays]


if __name__ == '__main__':
    args = argparse.ArgumentParser()
    # reserved for nsml
    args.add_argument('--mode', type=str, default='train')
    args.add_argument('--pause', type=int, default=0)
    args.add_argument('--iteration', type=str, default='0')
    # options of the model
    args.add_argument('--epochs', type=int, default=5)
    args.add_argument('--batch', type=int, default=100)
    args.add_argument('--strmaxlen', type=int, default=60)
    args.add_argument('--vocabulary', type=int, default=1500)
    args.add_argument('--embedding', type=int, default=32)
    args.add_argument('--filters', type=int, default=64)
    args.add_argument('--threshold', type=float, default=0.5)
    config = args.parse_args()

    if not HAS_DATASET and not IS_ON_NSML:
        DATASET_PATH = '../sample_data/kin/'

    np.random.seed(1)
    tf.set_random_seed(1)

    x1 = tf.placeholder(tf.int32, [None, config.strmaxlen])
    x2 = tf.placeholder(tf.int32, [None, config.strmaxlen])
    y_ = tf.placeholder(tf.float32, [None, 1])
    is_training = tf.placeholder_with_default(True, [])

    embedding = get_variable('embedding', [config.vocabulary, config.embedding])
    u = encode_question(x1, embedding, config, reuse=None)
    v = encode_question(x2, embedding, config, reuse=True)
    features = tf.concat([tf.abs(u - v), u * v, tf.reduce_sum(u * v, axis=1, keep_dims=True)], axis=1)
    features = tf.layers.dropout(features, 0.2, training=is_training)
    logits = tf.layers.dense(features, 1)
    output = tf.sigmoid(logits)
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y_, logits=logits))
    train_step = tf.train.AdamOptimizer(0.005).minimize(loss)

    sess = tf.InteractiveSession()
    tf.global_variables_initializer().run()
    vocabulary = Vocabulary(config.vocabulary)

    bind_model(sess=sess, vocabulary=vocabulary, config=config)
    if config.pause:
        nsml.paused(scope=locals())

    if config.mode == 'train':
        print('TensorFlow', tf.__version__)
        with open(os.path.join(DATASET_PATH, 'train', 'train_data'), encoding='utf-8') as f:
            left, right = split_pairs(f.readlines())
        with open(os.path.join(DATASET_PATH, 'train', 'train_label')) as f:
            labels = np.array([[float(line)] for line in f])
        vocabulary.fit(left + right)
        arrays = [vocabulary.encode(left, config.strmaxlen), vocabulary.encode(right, config.strmaxlen), labels]
        for epoch in range(config.epochs):
            losses = []
            for batch in get_batches(arrays, config.batch):
                _, batch_loss = sess.run([train_step, loss], feed_dict=dict(zip((x1, x2, y_), batch)))
                losses.append(batch_loss)
            nsml.report(summary=True, scope=locals(), epoch=epoch, epoch_total=config.epochs,
                        train__loss=float(np.mean(losses)), step=epoch)
            nsml.save(epoch)
            print('epoch', epoch, 'loss', np.mean(losses))
