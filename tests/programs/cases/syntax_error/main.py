import nsml

def broken(:
    pass
