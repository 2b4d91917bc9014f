"""The question pairs of examples/kin with TensorFlow: a Keras model over the character n-grams of both questions.

The vocabulary is pickled beside the weights: a submit has no training data to make it again.
"""

import argparse
import os
import pickle

import numpy as np
import tensorflow as tf

import nsml
from nsml import DATASET_PATH, HAS_DATASET

PADDING, UNKNOWN = 0, 1
LENGTH = 160  # n-grams of a question; the longest of the sample has fewer


def split_grams(question):
    """All runs of one, two and three characters, blanks left out."""
    text = question.replace(" ", "")
    return [text[start : start + length] for length in (1, 2, 3) for start in range(len(text) - length + 1)]


def make_vocabulary(questions, size):
    """The most frequent n-grams, each with its number; 0 pads, 1 is every other one."""
    counts = {}
    for question in questions:
        for gram in split_grams(question):
            counts[gram] = counts.get(gram, 0) + 1
    kept = sorted(counts, key=lambda gram: (-counts[gram], gram))[: size - 2]
    return {gram: number for number, gram in enumerate(kept, UNKNOWN + 1)}


def encode(pairs, vocabulary):
    """Two arrays of numbers, int32 [pairs, LENGTH]."""
    sides = []
    for side in (0, 1):
        rows = np.full((len(pairs), LENGTH), PADDING, dtype=np.int32)
        for row, pair in zip(rows, pairs):
            numbers = [vocabulary.get(gram, UNKNOWN) for gram in split_grams(pair[side])][:LENGTH]
            row[: len(numbers)] = numbers
        sides.append(rows)
    return sides


def build_model(size, width, rate):
    """The same embedding for both questions; a dense layer looks at their difference and product."""
    left, right = (tf.keras.Input((LENGTH,), dtype="int32") for _ in range(2))
    embedding = tf.keras.layers.Embedding(size, width, mask_zero=True, embeddings_initializer="random_normal")
    average = tf.keras.layers.GlobalAveragePooling1D()
    u, v = average(embedding(left)), average(embedding(right))
    apart, against = tf.keras.layers.subtract([u, v]), tf.keras.layers.subtract([v, u])
    distance = tf.keras.layers.maximum([apart, against])
    features = tf.keras.layers.concatenate([distance, tf.keras.layers.multiply([u, v])])
    model = tf.keras.Model([left, right], tf.keras.layers.Dense(1, activation="sigmoid")(features))
    model.compile(tf.keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def bind_model(config, state):
    def save(dir_name, *args):
        os.makedirs(dir_name, exist_ok=True)
        state["model"].save_weights(os.path.join(dir_name, "model.weights.h5"))
        with open(os.path.join(dir_name, "vocabulary.pickle"), "wb") as file:
            pickle.dump(state["vocabulary"], file)

    def load(dir_name, *args):
        with open(os.path.join(dir_name, "vocabulary.pickle"), "rb") as file:
            state["vocabulary"] = pickle.load(file)
        state["model"] = build_model(len(state["vocabulary"]) + 2, config.width, config.rate)
        state["model"].load_weights(os.path.join(dir_name, "model.weights.h5"))
        print("model loaded!")

    def infer(raw_data, **kwargs):
        sides = encode([line.split("\t") for line in raw_data], state["vocabulary"])
        guess = state["model"].predict(sides, batch_size=256, verbose=0)[:, 0]
        return list(zip(guess.tolist(), (guess > 0.5).astype(int)))

    nsml.bind(save=save, load=load, infer=infer)


def read_train(path):
    """Pairs of questions and an array of their labels."""
    with open(os.path.join(path, "train", "train_data"), encoding="utf-8") as file:
        pairs = [line.split("\t") for line in file.read().splitlines()]
    with open(os.path.join(path, "train", "train_label"), encoding="utf-8") as file:
        return pairs, np.array([float(line) for line in file], dtype=np.float32)


class Reporter(tf.keras.callbacks.Callback):
    """After each epoch: a point for the curves, and a checkpoint."""

    def on_epoch_end(self, epoch, logs=None):
        nsml.report(
            summary=True,
            step=epoch + 1,
            epoch=epoch + 1,
            train__loss=float(logs["loss"]),
            train__accuracy=float(logs["accuracy"]),
            accuracy=float(logs["val_accuracy"]),
        )
        nsml.save(epoch + 1)


def train(config, state):
    """Learn from nine pairs in ten and measure on the tenth."""
    pairs, labels = read_train(DATASET_PATH if HAS_DATASET else config.data)
    held = np.arange(len(pairs)) % 10 == 0
    if not state:  # a fork comes here with a loaded model
        seen = [question for pair, is_held in zip(pairs, held) if not is_held for question in pair]
        state["vocabulary"] = make_vocabulary(seen, config.vocabulary)
        state["model"] = build_model(len(state["vocabulary"]) + 2, config.width, config.rate)
    left, right = encode(pairs, state["vocabulary"])
    state["model"].fit(
        [left[~held], right[~held]],
        labels[~held],
        validation_data=([left[held], right[held]], labels[held]),
        batch_size=config.batch,
        initial_epoch=int(config.iteration),
        epochs=config.epochs,
        callbacks=[Reporter()],
        verbose=2,
    )


def main():
    parser = argparse.ArgumentParser()
    # These three are NSML's: it adds them to the command when it runs this program again.
    parser.add_argument("--mode", type=str, default="train")
    parser.add_argument("--pause", type=int, default=0)
    parser.add_argument("--iteration", type=str, default="0")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=str, default="../kin/dataset", help="the dataset's folder, without a platform")
    config = parser.parse_args()

    tf.keras.utils.set_random_seed(config.seed)
    state = {}
    bind_model(config, state)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        train(config, state)


if __name__ == "__main__":
    main()
