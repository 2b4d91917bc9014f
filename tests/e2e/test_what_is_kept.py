"""What stays of a training: checkpoints within the organiser's limit, and the files that the program wrote."""

from pathlib import Path
from typing import Any

TINY = Path(__file__).parents[1] / "programs/datasets/tiny"
PROGRAM = """
import os
import nsml

def save(path, size):
    with open(os.path.join(path, "model"), "wb") as file:
        file.write(b"x" * size)

for name, size in (("large", 2000), ("small", 1000)):
    nsml.save(name, save_fn=lambda path: save(path, size))
os.makedirs("plots")
with open("plots/loss.csv", "w") as file:
    file.write("1,0.5\\n")
os.symlink("/etc/passwd", "plots/link")
print("the end")
"""


def test_a_training_keeps_what_it_may_and_its_files_come_home(platform: Any, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text(PROGRAM)
    platform.ctl("dataset", "push", "tiny", str(TINY), "-l")
    platform.ctl("dataset", "change", "tiny", "--model-size-limit", "1000")
    name = platform.json("run", "-d", "tiny", cwd=code)["name"]
    assert platform.wait_for(name)["state"] == "exited"
    assert [row["name"] for row in platform.json("model", "ls", name)["checkpoints"]] == ["small"]
    log = platform.ctl("logs", name).stdout
    assert log.index("the end") < log.index("NSML Warning) Cannot upload models over 1000.0")

    done = platform.ctl("download", name, str(tmp_path / "home"))
    assert (tmp_path / "home/plots/loss.csv").read_text() == "1,0.5\n"
    assert [path.name for path in (tmp_path / "home").rglob("*") if path.is_file()] == ["loss.csv"]
    assert "plots/link" in done.stderr, "what was left out is told"
