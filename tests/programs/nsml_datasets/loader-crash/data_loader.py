"""The organiser's own file is broken."""


def feed_infer(output_file, infer_func):
    with open("/data/loader-crash/test/gone"):
        pass
