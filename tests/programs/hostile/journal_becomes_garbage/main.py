"""What it reports goes where it says; the platform reads only a plain file, and believes none of it."""

import os

journal = os.path.join(os.environ["NSML_HOME"], "journal")
try:
    os.unlink(journal)
except OSError:
    pass
try:
    open(journal, "wb").write(
        os.urandom(1 << 20)
        + b"\n"
        + b"{" * 100000
        + b"\n"
        + b'{"k": "save", "t": 1.0, "name": "../../x", "dir": "../../../../etc", "files": 1, "bytes": 1, "summary": {}}\n'
    )
except OSError as error:
    print(error)
print("the end")
