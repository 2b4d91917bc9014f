"""What it reports goes where it says; the platform reads only a plain file, and believes none of it."""

import os

journal = os.path.join(os.environ["NSML_HOME"], "journal")
try:
    os.unlink(journal)
except OSError:
    pass
try:
    os.symlink("/etc/passwd", journal)
except OSError as error:
    print(error)
print("the end")
