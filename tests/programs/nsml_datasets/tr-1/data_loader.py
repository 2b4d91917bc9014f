"""Grand Challenge 2020: infer returns ready-made lines; the loader checks the file's structure afterwards."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    folder = os.path.join(DATASET_PATH, "test", "test_data")
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    rows = infer_func(paths)
    with open(output_file, "w") as file_writer:
        file_writer.write("\n".join(rows))
    if os.stat(output_file).st_size == 0:
        raise AssertionError("output result of inference is nothing")
    with open(output_file) as written:
        for row in written:
            if len(row.split(",")) != 3:
                raise ValueError("a row is not `file,class,score`")
