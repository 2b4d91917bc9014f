"""The question pairs of examples/kin with PyTorch: an embedding bag of character n-grams for each question.

The vocabulary is pickled beside the weights: a submit has no training data to make it again.
"""

import argparse
import os
import pickle

import torch
from torch import nn

import nsml
from nsml import DATASET_PATH, GPU_NUM, HAS_DATASET

UNKNOWN = 0


def split_grams(question):
    """All runs of one, two and three characters, blanks left out."""
    text = question.replace(" ", "")
    return [text[start : start + length] for length in (1, 2, 3) for start in range(len(text) - length + 1)]


def make_vocabulary(questions, size):
    """The most frequent n-grams, each with its number; 0 is every other one."""
    counts = {}
    for question in questions:
        for gram in split_grams(question):
            counts[gram] = counts.get(gram, 0) + 1
    kept = sorted(counts, key=lambda gram: (-counts[gram], gram))[: size - 1]
    return {gram: number for number, gram in enumerate(kept, UNKNOWN + 1)}


def encode(questions, vocabulary):
    """What nn.EmbeddingBag takes: all numbers in one row, and where each question begins."""
    numbers, starts = [], []
    for question in questions:
        starts.append(len(numbers))
        numbers += [vocabulary.get(gram, UNKNOWN) for gram in split_grams(question)] or [UNKNOWN]
    return torch.tensor(numbers), torch.tensor(starts)


class Siamese(nn.Module):
    """The same embedding for both questions; a linear layer looks at their difference and product."""

    def __init__(self, size, width):
        super().__init__()
        self.embedding = nn.EmbeddingBag(size, width, mode="mean")
        self.output = nn.Linear(2 * width, 1)

    def forward(self, left, right):
        """Logits that the pairs ask the same. [pairs]"""
        u, v = self.embedding(*left), self.embedding(*right)
        return self.output(torch.cat([(u - v).abs(), u * v], dim=1)).squeeze(1)


def compare(state, pairs):
    """Logits for pairs of texts, on the model's own device."""
    device = next(state["model"].parameters()).device
    left, right = (
        [part.to(device) for part in encode([pair[side] for pair in pairs], state["vocabulary"])] for side in (0, 1)
    )
    return state["model"](left, right)


def bind_model(config, state):
    def save(dir_name, **kwargs):
        os.makedirs(dir_name, exist_ok=True)
        torch.save(state["model"].state_dict(), os.path.join(dir_name, "model.pt"))
        with open(os.path.join(dir_name, "vocabulary.pickle"), "wb") as file:
            pickle.dump(state["vocabulary"], file)

    def load(dir_name, **kwargs):
        with open(os.path.join(dir_name, "vocabulary.pickle"), "rb") as file:
            state["vocabulary"] = pickle.load(file)
        state["model"] = Siamese(len(state["vocabulary"]) + 1, config.width)
        state["model"].load_state_dict(torch.load(os.path.join(dir_name, "model.pt"), map_location="cpu"))
        print("model loaded!")

    def infer(raw_data, **kwargs):
        with torch.no_grad():
            guess = torch.sigmoid(compare(state, [line.split("\t") for line in raw_data]))
        return [(probability, int(probability > 0.5)) for probability in guess.tolist()]

    nsml.bind(save=save, load=load, infer=infer)


def read_train(path):
    """Pairs of questions and a tensor of their labels."""
    with open(os.path.join(path, "train", "train_data"), encoding="utf-8") as file:
        pairs = [line.split("\t") for line in file.read().splitlines()]
    with open(os.path.join(path, "train", "train_label"), encoding="utf-8") as file:
        return pairs, torch.tensor([float(line) for line in file])


def train(config, state):
    """Learn from nine pairs in ten, measure on the tenth after each epoch, report and save."""
    pairs, labels = read_train(DATASET_PATH if HAS_DATASET else config.data)
    held = list(range(0, len(pairs), 10))
    learned = [number for number in range(len(pairs)) if number % 10]
    if not state:  # a fork comes here with a loaded model
        state["vocabulary"] = make_vocabulary([text for number in learned for text in pairs[number]], config.vocabulary)
        state["model"] = Siamese(len(state["vocabulary"]) + 1, config.width)
    device = "cuda" if int(GPU_NUM) else "cpu"
    model, labels = state["model"].to(device), labels.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.rate)
    loss_function = nn.BCEWithLogitsLoss()
    for epoch in range(int(config.iteration) + 1, config.epochs + 1):
        total = 0.0
        for batch in torch.tensor(learned)[torch.randperm(len(learned))].split(config.batch):
            optimizer.zero_grad()
            loss = loss_function(compare(state, [pairs[number] for number in batch.tolist()]), labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        with torch.no_grad():
            right = (compare(state, [pairs[number] for number in held]) > 0) == (labels[held] == 1)
        accuracy = right.float().mean().item()
        print(
            "epoch {:2d}/{}  loss {:.3f}  accuracy {:.3f}".format(epoch, config.epochs, total / len(learned), accuracy)
        )
        nsml.report(summary=True, step=epoch, epoch=epoch, train__loss=total / len(learned), accuracy=accuracy)
        nsml.save(epoch)


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

    torch.manual_seed(config.seed)
    state = {}
    bind_model(config, state)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        train(config, state)


if __name__ == "__main__":
    main()
