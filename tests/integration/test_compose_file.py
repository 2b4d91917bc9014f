"""docker-compose.yml as docker-compose and `docker compose` read it, with its override for GPUs. Nothing is started."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ("-f", "docker-compose.yml"), ("-f", "docker-compose.yml", "-f", "docker/docker-compose.gpu.yml")
PASSED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "HTTP_PROXY", "HTTPS_PROXY")


def find_readers() -> list[tuple[str, ...]]:
    """Those of the two that are here; at least one has to be."""
    has_plugin = (
        shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    )
    found = [("docker", "compose")] if has_plugin else []
    return [*found, ("docker-compose",)] if shutil.which("docker-compose") or not found else found


@pytest.fixture(params=find_readers(), ids=" ".join)
def read(request: pytest.FixtureRequest) -> Any:
    """What one of them makes of the files."""
    if shutil.which(request.param[0]) is None and os.environ.get("CI") != "true":
        pytest.skip("docker-compose is missing here: apt-get install docker-compose")

    def config(*files: str, **environment: str) -> Any:
        kept = {name: value for name, value in os.environ.items() if name not in (*PASSED_ON, "NO_PROXY")}
        done = subprocess.run(
            [*request.param, *files, "config"],
            cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not done.stderr, "neither says that something is obsolete or unset"
        return yaml.safe_load(done.stdout)

    return config


def environment_of(config: Any) -> dict[str, str]:
    told = config["services"]["worker"]["environment"]
    return dict(told) if isinstance(told, dict) else dict(line.split("=", 1) for line in told)


@pytest.mark.parametrize("files", FILES, ids=["plain", "gpu"])
def test_the_file_is_read_without_complaint(read: Any, files: tuple[str, ...]) -> None:
    assert set(read(*files)["services"]) == {"postgres", "redis", "server", "worker"}


def test_what_pip_needs_reaches_the_worker_where_it_is_set_and_only_there(read: Any) -> None:
    bare = environment_of(read())
    assert not [name for name in PASSED_ON if bare.get(name) is not None]
    values = {name: f"http://{name.lower()}.example" for name in PASSED_ON}
    told = environment_of(read(**values, NO_PROXY="internal.example"))
    assert {name: told[name] for name in PASSED_ON} == values
    assert told["NO_PROXY"] == told["no_proxy"] == "internal.example,127.0.0.1,server,redis"


def test_the_worker_never_asks_a_proxy_for_the_server(read: Any) -> None:
    assert {"server", "redis", "localhost"} <= set(environment_of(read())["NO_PROXY"].split(","))


def test_the_override_gives_the_worker_the_drivers_nvml(read: Any) -> None:
    (device,) = read(*FILES[1])["services"]["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], "utility" in device["capabilities"]) == ("nvidia", True)


def test_the_file_names_no_version_which_the_newer_one_calls_obsolete() -> None:
    told = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert set(told) == {"x-logging", "services", "volumes", "secrets"}
