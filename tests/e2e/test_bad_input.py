"""Bad input gets one clear sentence that names the thing and the next step, a non-zero exit code, and leaves nothing."""

from pathlib import Path
from typing import Any

import pytest

TINY = Path(__file__).parents[1] / "programs"


@pytest.fixture(scope="module")
def tiny(platform: Any) -> str:
    platform.ctl("dataset", "push", "tiny", str(TINY / "datasets/tiny"), "-l", "--metric", "accuracy")
    name: str = platform.json("run", "-d", "tiny", "main.py", cwd=TINY / "cases/answers_right")["name"]
    platform.wait_for(name)
    return name


def refused(platform: Any, *arguments: str, says: tuple[str, ...], **options: Any) -> None:
    done = platform.ctl(*arguments, check=False, **options)
    assert done.returncode not in (0, 130)
    assert "Traceback" not in done.stdout + done.stderr
    message = done.stderr.strip()
    for fragment in says:
        assert fragment in message, message
    assert len(message.splitlines()) <= 4, message


def test_a_missing_entry(platform: Any, tiny: str) -> None:
    refused(platform, "run", "-d", "tiny", "trian.py", cwd=TINY / "cases/answers_right", says=("trian.py", "main.py"))


def test_an_unknown_dataset_names_the_nearest(platform: Any, tiny: str) -> None:
    refused(platform, "run", "-d", "tini", "main.py", cwd=TINY / "cases/answers_right", says=("tini", "tiny"))


@pytest.mark.parametrize("name", ["mina/tiny/99", "session/99", "99", "nobody/tiny/1"])
def test_a_session_that_does_not_exist(platform: Any, tiny: str, name: str) -> None:
    refused(platform, "logs", name, says=(name.rsplit("/", 1)[-1], "nsmlctl ps"))


@pytest.mark.parametrize("name", ["a b/c/1", "../../etc/passwd", "mina/tiny/x", ""])
def test_a_name_that_is_none(platform: Any, tiny: str, name: str) -> None:
    refused(platform, "logs", name, says=("USER/DATASET/N",))


def test_a_checkpoint_that_does_not_exist_lists_those_that_do(platform: Any, tiny: str) -> None:
    refused(platform, "submit", tiny, "epoch-77", says=("epoch-77", "1"))


def test_a_server_that_is_not_running(platform: Any, tmp_path: Path) -> None:
    refused(platform, "ps", NSMLCTL_HOME=str(tmp_path / "nobody"), says=("nsmlctl up", "nsmlctl login"))
    refused(platform, "ps", NSML_SERVER="http://127.0.0.1:9", NSML_TOKEN="x", says=("127.0.0.1:9",))


def test_a_token_that_is_wrong(platform: Any) -> None:
    refused(platform, "ps", NSML_SERVER=platform.login["url"], NSML_TOKEN="guessed", says=("nsmlctl login",))


def test_a_dataset_without_labels_is_told_at_push(platform: Any, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test/test_data").write_text("x")
    (tmp_path / "data_loader.py").write_text("def feed_infer(o, i): pass")
    refused(platform, "dataset", "push", "bare", str(tmp_path), "-l", says=("test/test_label",))
    assert "bare" not in platform.ctl("dataset", "ls").stdout


def test_a_data_loader_that_does_not_parse_is_told_at_push(platform: Any, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test/test_data").write_text("x")
    (tmp_path / "test/test_label").write_text("x")
    (tmp_path / "data_loader.py").write_text("def feed_infer(:")
    refused(platform, "dataset", "push", "broken", str(tmp_path), "-l", says=("data_loader.py",))


def test_arguments_with_an_open_quotation_mark(platform: Any, tiny: str) -> None:
    refused(platform, "run", "-a", '--name "x', "main.py", cwd=TINY / "cases/answers_right", says=("quot",))


def test_more_gpus_than_there_are(platform: Any, tiny: str) -> None:
    done = platform.ctl("run", "-g", "64", "main.py", cwd=TINY / "cases/answers_right", check=False)
    assert done.returncode != 0
    assert "64" in done.stderr


def test_an_upload_with_a_link_out_of_the_folder(platform: Any, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print(1)")
    (tmp_path / "secret").symlink_to("/etc/hostname")
    done = platform.ctl("run", "main.py", "-j", cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert "secret" in done.stderr
