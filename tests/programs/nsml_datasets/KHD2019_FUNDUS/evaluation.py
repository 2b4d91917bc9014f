"""Three metrics packed into one number; the label's path is relative, without the slash before `data`."""

import argparse

LABEL = "data/KHD2019_FUNDUS/test/test_label"


def share(pairs):
    return sum(a == b for a, b in pairs) / len(pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    with open(parser.parse_args().prediction) as rows:
        answers = {name: answer for _, name, answer in (row.strip().split(",") for row in rows)}
    with open(LABEL) as rows:
        pairs = [(answers[name], label) for name, label in (row.split() for row in rows)]
    accuracy = share(pairs)
    sensitivity = share([pair for pair in pairs if pair[1] != "0"])
    specificity = share([pair for pair in pairs if pair[1] == "0"])
    print(round(round(accuracy, 4) * 100 + round(sensitivity, 4) / 100 + round(specificity, 4) / 1000000, 10))
