import argparse

import nsml

config = argparse.ArgumentParser().parse_args()


def save(path):
    with open(path + "/model", "w") as out:
        out.write("x")


nsml.bind(save=save)
nsml.save(1)
