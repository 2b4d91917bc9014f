"""AI RUSH 2020: nsml_train.py starts with fire, takes no --iteration, and infer returns a DataFrame."""

import os

import fire

import nsml


def bind_model(model):
    def save(dirname, *args):
        with open("{}/model".format(dirname), "w") as out:
            out.write("money")

    def load(dirname, *args):
        with open("{}/model".format(dirname)) as saved:
            model["word"] = saved.read()

    def infer(test_dir, **kwargs):
        import pandas

        names = sorted(os.listdir(os.path.join(test_dir, "test_data")))
        texts = [open(os.path.join(test_dir, "test_data", name)).read() for name in names]
        kinds = ["spam" if model["word"] in text else "normal" for text in texts]
        return pandas.DataFrame({"filename": names, "y_pred": kinds})

    nsml.bind(save=save, load=load, infer=infer)


def train(experiment_name="base", pause=False, mode="train"):
    bind_model({})
    if pause:
        nsml.paused(scope=locals())
    if mode == "train":
        nsml.save("best")


if __name__ == "__main__":
    fire.Fire(train)
