"""Which user a box becomes where the worker is root."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from nsml_worker import process_runner
from nsml_worker.process_runner import FIRST_UID, LAST_UID, ProcessRunner


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a box a user of its own")
def test_a_box_s_user_is_nobody_who_has_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = FIRST_UID + 7
    busy = [SimpleNamespace(info={"uids": SimpleNamespace(real=uid)}) for uid in range(FIRST_UID, LAST_UID + 1)]
    busy.pop(free - FIRST_UID)
    monkeypatch.setattr(psutil, "process_iter", lambda _: busy)
    runner: Any = SimpleNamespace(_boxes=tmp_path)
    assert ProcessRunner._find_free_user(runner) == free
    busy.append(SimpleNamespace(info={"uids": SimpleNamespace(real=free)}))
    with pytest.raises(process_runner.BoxFailed, match="no free user"):
        ProcessRunner._find_free_user(runner)
