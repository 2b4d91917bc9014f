def feed_infer(output_file, infer_func):
    with open(output_file, "w") as out:
        out.write("\n".join(infer_func([])))


def test_data_loader(root_path):
    raise ValueError("the participant's own loader")
