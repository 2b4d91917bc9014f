"""Reads the prediction with numpy."""

import argparse

import numpy as np

LABEL = "/data/2_cls_crane1/test/test_label"

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--prediction", type=str, default="pred.txt")
    prediction = np.load(parser.parse_args().prediction)
    print(float((prediction.reshape(-1) == np.loadtxt(LABEL)).mean()))
