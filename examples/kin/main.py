"""Do two Korean questions ask the same thing? Character n-grams, a small network in numpy, seconds on one core.

Written as programs for NSML were: `bind` says how the model is saved, loaded and asked, `report` draws the curves, `save`
keeps a checkpoint of each epoch, and `paused` hands over to the platform when it scores one of them.
"""

import argparse
import os
import pickle

import numpy as np

import nsml
from nsml import DATASET_PATH, HAS_DATASET

UNKNOWN = 0


class Vocabulary:
    """The character n-grams that training saw, each with its number. Without it the weights mean nothing."""

    def __init__(self, questions, size):
        counts = {}
        for question in questions:
            for gram in split_grams(question):
                counts[gram] = counts.get(gram, 0) + 1
        kept = sorted(counts, key=lambda gram: (-counts[gram], gram))[: size - 1]
        self.numbers = {gram: number for number, gram in enumerate(kept, UNKNOWN + 1)}
        self.size = len(kept) + 1

    def encode(self, questions):
        """One row a question: how much of it each n-gram is. float32 [questions, size]."""
        rows = np.zeros((len(questions), self.size), dtype=np.float32)
        for row, question in zip(rows, questions):
            for gram in split_grams(question):
                row[self.numbers.get(gram, UNKNOWN)] += 1
            row /= max(1.0, np.sqrt(np.square(row).sum()))
        return rows


def split_grams(question):
    """All runs of one, two and three characters, blanks left out."""
    text = question.replace(" ", "")
    return [text[start : start + length] for length in (1, 2, 3) for start in range(len(text) - length + 1)]


def draw_weights(size, width, seed):
    """What the model starts from, for `size` n-grams and vectors of `width` numbers."""
    source = np.random.RandomState(seed)
    return {
        "embedding": source.normal(0, 0.1, (size, width)).astype(np.float32),
        "output": source.normal(0, 0.1, 2 * width + 1).astype(np.float32),
        "bias": np.zeros(1, dtype=np.float32),
    }


class Model:
    """Each question becomes a vector; a logistic regression looks at the two vectors' difference and product."""

    def __init__(self, weights, rate):
        self.weights = weights
        self.rate = rate
        self.steps = 0
        self.moments = {name: [np.zeros_like(w), np.zeros_like(w)] for name, w in weights.items()}

    def predict(self, left, right):
        """Probabilities that the pairs ask the same. float32 [pairs]."""
        features = self.compare(left, right)[0]
        return 1 / (1 + np.exp(-(features @ self.weights["output"] + self.weights["bias"])))

    def compare(self, left, right):
        """Features [pairs, 2 * width + 1] and the two embedded questions they come from."""
        u, v = left @ self.weights["embedding"], right @ self.weights["embedding"]
        shared = np.sum(left * right, axis=1, keepdims=True)
        return np.concatenate([np.abs(u - v), u * v, shared], axis=1), u, v

    def learn(self, left, right, labels):
        """One step of Adam on one batch. Returns the batch's loss before it."""
        features, u, v = self.compare(left, right)
        guess = 1 / (1 + np.exp(-(features @ self.weights["output"] + self.weights["bias"])))
        error = (guess - labels) / len(labels)
        width = u.shape[1]
        back = error[:, None] * self.weights["output"]
        distance = back[:, :width] * np.sign(u - v)
        product = back[:, width : 2 * width]
        self.step("embedding", left.T @ (distance + product * v) + right.T @ (product * u - distance))
        self.step("output", features.T @ error + 1e-3 * self.weights["output"])
        self.step("bias", error.sum(keepdims=True))
        self.steps += 1
        return float(-np.mean(np.log(np.where(labels == 1, guess, 1 - guess) + 1e-7)))

    def step(self, name, gradient):
        first, second = self.moments[name]
        first += 0.1 * (gradient - first)
        second += 0.001 * (np.square(gradient) - second)
        scale = np.sqrt(1 - 0.999 ** (self.steps + 1)) / (1 - 0.9 ** (self.steps + 1))
        self.weights[name] -= self.rate * scale * first / (np.sqrt(second) + 1e-8)


def bind_model(config, state):
    """Tell the platform how to save, load and ask; `state` holds the model and its vocabulary."""

    def save(dir_name, *args):
        os.makedirs(dir_name, exist_ok=True)
        np.savez(os.path.join(dir_name, "model.npz"), **state["model"].weights)
        # Training makes the vocabulary; a submit has no training data to make it again. It travels with the model.
        with open(os.path.join(dir_name, "vocabulary.pickle"), "wb") as file:
            pickle.dump(state["vocabulary"], file)

    def load(dir_name, *args):
        with open(os.path.join(dir_name, "vocabulary.pickle"), "rb") as file:
            state["vocabulary"] = pickle.load(file)
        state["model"] = Model(dict(np.load(os.path.join(dir_name, "model.npz"))), config.rate)
        print("model loaded!")

    def infer(raw_data, **kwargs):
        """For each line `question TAB question` a (probability, label)."""
        pairs = [line.split("\t") for line in raw_data]
        left, right = (state["vocabulary"].encode([pair[side] for pair in pairs]) for side in (0, 1))
        guess = state["model"].predict(left, right)
        return [(float(probability), int(probability > 0.5)) for probability in guess]

    nsml.bind(save=save, load=load, infer=infer)


def read_train(path):
    """Pairs of questions and their labels from the dataset's train folder."""
    with open(os.path.join(path, "train", "train_data"), encoding="utf-8") as file:
        pairs = [line.split("\t") for line in file.read().splitlines()]
    with open(os.path.join(path, "train", "train_label"), encoding="utf-8") as file:
        return pairs, np.array([float(line) for line in file], dtype=np.float32)


def train(config, state):
    """Learn from nine pairs in ten, measure on the tenth after each epoch, report and save."""
    pairs, labels = read_train(DATASET_PATH if HAS_DATASET else config.data)
    held = np.arange(len(pairs)) % 10 == 0
    if not state:  # a fork comes here with a loaded model
        seen = [question for pair, is_held in zip(pairs, held) if not is_held for question in pair]
        state["vocabulary"] = Vocabulary(seen, config.vocabulary)
        state["model"] = Model(draw_weights(state["vocabulary"].size, config.width, config.seed), config.rate)
    left, right = (state["vocabulary"].encode([pair[side] for pair in pairs]) for side in (0, 1))
    source = np.random.RandomState(config.seed)
    for epoch in range(int(config.iteration) + 1, config.epochs + 1):
        order = source.permutation(np.flatnonzero(~held))
        batches = [order[start : start + config.batch] for start in range(0, len(order), config.batch)]
        loss = np.mean([state["model"].learn(left[batch], right[batch], labels[batch]) for batch in batches])
        right_ones = (state["model"].predict(left, right) > 0.5) == labels
        train_accuracy, accuracy = float(right_ones[~held].mean()), float(right_ones[held].mean())
        print("epoch {:2d}/{}  loss {:.3f}  accuracy {:.3f}".format(epoch, config.epochs, loss, accuracy))
        nsml.report(
            summary=True,
            step=epoch,
            epoch=epoch,
            epoch_total=config.epochs,
            train__loss=float(loss),
            train__accuracy=train_accuracy,
            accuracy=accuracy,
        )
        nsml.save(epoch)


def main():
    parser = argparse.ArgumentParser()
    # These three are NSML's: it adds them to the command when it runs this program again.
    parser.add_argument("--mode", type=str, default="train")
    parser.add_argument("--pause", type=int, default=0)
    parser.add_argument("--iteration", type=str, default="0")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=str, default="dataset", help="the dataset's folder, where there is no platform")
    config = parser.parse_args()

    state = {}
    bind_model(config, state)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        train(config, state)


if __name__ == "__main__":
    main()
