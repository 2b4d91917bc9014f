"""docs/settings.md says what there is to set, and docker-compose.yml passes it on."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic.fields import FieldInfo

from nsml_server.settings import GIB, MIB, Settings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/settings.md").read_text()
WORKER = (ROOT / "worker/nsml_worker/settings.py").read_text()
# What the compose file settles itself; `image` there is the platform's own, and the image table says what programs get.
SETTLED = {"mode", "data", "host", "port", "image", "public_url", "join_token_file", "worker_broker_url"}
SETTLED |= {f"{what}_{part}" for what in ("database", "broker") for part in ("url", "password_file")}


def write_default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and value >= MIB:
        size, unit = (value // GIB, "GiB") if value % GIB == 0 else (value // MIB, "MiB")
        return f"{value} ({size} {unit})"
    return "–" if value in (None, "") else str(value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_page_has_the_row_of_each_setting_of_the_server(name: str) -> None:
    field = Settings.model_fields[name]
    sentence = " ".join((field.description or "").split())
    row = f"| `NSML_{name.upper()}` | {write_default(field)} | {sentence} |"
    assert row in PAGE.splitlines(), f"docs/settings.md lacks this line:\n{row}"


def test_the_page_names_what_a_worker_reads_and_nothing_else() -> None:
    told = set(re.findall(r"`(NSML_\w+)`", PAGE.partition("## The worker")[2]))
    assert told == set(re.findall(r'"(NSML_\w+)"', WORKER))


def test_the_compose_file_passes_on_every_setting_that_it_does_not_settle() -> None:
    told = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["server"]["environment"]
    assert {name for name, value in told.items() if value is None} == {
        f"NSML_{name.upper()}" for name in set(Settings.model_fields) - SETTLED
    }
