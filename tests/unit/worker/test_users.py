"""Which user a box becomes where the worker is root."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from nsml_worker.box_users import FIRST_UID, LAST_UID, find_free_user
from nsml_worker.errors import BoxFailed


def test_a_box_s_user_is_nobody_who_has_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = FIRST_UID + 7
    busy = [SimpleNamespace(info={"uids": SimpleNamespace(real=uid)}) for uid in range(FIRST_UID, LAST_UID + 1)]
    busy.pop(free - FIRST_UID)
    monkeypatch.setattr(psutil, "process_iter", lambda _: busy)
    assert find_free_user(tmp_path) == free
    busy.append(SimpleNamespace(info={"uids": SimpleNamespace(real=free)}))
    with pytest.raises(BoxFailed, match="no free user"):
        find_free_user(tmp_path)
