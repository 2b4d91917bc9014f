IS_ON_NSML = False


def bind(*args, **kwargs):
    raise SystemExit("the stub was imported")
