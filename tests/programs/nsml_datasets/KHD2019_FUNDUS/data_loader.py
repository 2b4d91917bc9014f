"""Datathon 2019: the loader reads the images; "class,file,pred" a line."""

import os

from nsml.constants import DATASET_PATH


def feed_infer(output_file, infer_func):
    folder = os.path.join(DATASET_PATH, "test", "test_data")
    names, images = [], []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as image:
            images.append([int(pixel) for pixel in image.read().split()])
        names.append(name)
    predictions = infer_func(images)
    with open(output_file, "w") as file_writer:
        for name, prediction in zip(names, predictions):
            file_writer.write("{},{},{}\n".format(name.split("_")[0], name, prediction))
