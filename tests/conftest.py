"""What holds for every test: no setting of this machine leaks in, and CI skips nothing."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ON_CI = os.environ.get("CI") == "true"
NEEDS = {
    "browser": lambda: shutil.which("chromium") is not None,
    "redis": lambda: shutil.which("redis-server") is not None,
    "frameworks": lambda: find_spec("torch") is not None and find_spec("tensorflow") is not None,
}
HINTS = {
    "browser": "apt-get install chromium",
    "redis": "apt-get install redis-server",
    "frameworks": "make frameworks",
}

for name in [name for name in os.environ if name.startswith(("NSML_", "NSMLCTL_"))]:
    del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """At home a test whose service is missing is skipped; on CI it runs, and fails."""
    missing = {name for name, present in NEEDS.items() if not present()}
    for item in items:
        for name in missing & {mark.name for mark in item.iter_markers()}:
            if not ON_CI:
                item.add_marker(pytest.mark.skip(reason=f"{name} is missing here: {HINTS[name]}"))


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Each test has a client folder of its own, so that no platform of this machine is ever spoken to."""
    home = tmp_path_factory.mktemp("nsmlctl-home")
    monkeypatch.setenv("NSMLCTL_HOME", str(home))
    yield home
