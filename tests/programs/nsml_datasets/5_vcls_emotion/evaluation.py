"""One line of answers against one line of labels."""

import argparse

LABEL = "/data/5_vcls_emotion/test/test_label"

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    with open(parser.parse_args().prediction) as one, open(LABEL) as other:
        pairs = list(zip(one.read().split(), other.read().split()))
    print(sum(a == b for a, b in pairs) / len(pairs))
