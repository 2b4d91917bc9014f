"""Speech 2019: infer is called once for each file; "path,text" a line."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    root_path = os.path.join(DATASET_PATH, "test", "test_data")
    with open(os.path.join(root_path, "data_list.csv")) as listed:
        names = listed.read().split()
    with open(output_file, "w", encoding="utf-8") as file_writer:
        for name in names:
            wav_path = os.path.join(root_path, name)
            file_writer.write("{},{}\n".format(wav_path, infer_func(wav_path)))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
