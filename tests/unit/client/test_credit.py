"""Credit as people see and give it, GPUs in the machines' table, and what a machine can enforce."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from nsmlctl.commands.doctor import check_installed, doctor_command
from nsmlctl.commands.gpumonitor import device_rows, node_row
from nsmlctl.errors import NsmlctlError

Run = Callable[..., Any]
STANDS = {
    "user": "kim",
    "credit": 597.5,
    "gpus": 2,
    "entries": [
        {"at": "2020-01-01T00:00:00Z", "kind": "use", "credit": -2.5, "gpu_seconds": -150, "note": ""},
        {
            "at": "2020-01-01T00:00:00Z",
            "kind": "grant",
            "credit": 600.0,
            "gpu_seconds": 36000,
            "note": "well\x1b[2Jdone",
        },
    ],
    "schedules": [
        {"id": 3, "everyone": True, "credit": 60, "every": "hour", "ceiling": 2880, "next_at": "2020-01-01T01:00:00Z"}
    ],
}


def test_the_history_stands_below_the_line(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/credit", STANDS)
    outcome = nsmlctl("credit")
    lines = outcome.out.splitlines()
    assert lines[0] == "User : kim credit 597.5"
    assert lines[-2].split("  ")[-2:] == ["-2.5", "used"] or "-2.5" in lines[-2]
    assert "+600" in lines[-1]
    assert "\x1b" not in outcome.out
    assert "Every hour: 60 more up to 2880 (number 3)" in outcome.err
    assert "2 GPUs in use now" in outcome.err


def test_a_grant_is_one_request(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/credit/grants", STANDS)
    assert nsmlctl("credit", "grant", "kim", "600", "-m", "welcome").out == "User : kim credit 597.5\n"
    (call,) = platform.called("POST", "/credit/grants")
    assert call.content == {"user": "kim", "credit": 600, "every": None, "ceiling": None, "note": "welcome"}


def test_a_grant_can_be_repeated_up_to_a_ceiling(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/credit/grants", {"user": "@everyone"})
    nsmlctl("credit", "grant", "@everyone", "60", "--every", "hour", "--up-to", "2880")
    (call,) = platform.called("POST", "/credit/grants")
    assert (call.content["every"], call.content["ceiling"]) == ("hour", 2880)


def test_what_was_granted_can_be_taken_away(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/credit/grants", STANDS)
    nsmlctl("credit", "grant", "kim", "60", "--take")
    assert platform.called("POST", "/credit/grants")[0].content["credit"] == -60


def test_a_repeated_grant_is_ended_by_its_number(nsmlctl: Run, platform: Any) -> None:
    platform.on("DELETE", "/credit/schedules/3", {})
    assert nsmlctl("credit", "end", "3").out == "The repeated grant 3 has ended.\n"


def test_a_gpu_shows_how_busy_it_is() -> None:
    device = {"uuid": "GPU-1", "model": "Tesla P40", "memory": 10**9, "driver": "418.67", "used": True}
    node = {"name": "rack", "alive": True, "devices": [{**device, "utilisation": 97, "used_memory": 5 * 10**8}, device]}
    busy, unknown = device_rows(node)
    assert busy[5:] == ("used", "97 %", "500.00 MB")
    assert unknown[6:] == ("", "")


def test_a_drained_machine_is_called_so() -> None:
    assert node_row({"name": "rack", "alive": True, "drained": True})[1] == "drained"


def test_doctor_becomes_the_worker_s_own() -> None:
    assert doctor_command("/srv", as_json=True) == [sys.executable, "-m", "nsml_worker.doctor", "--data", "/srv", "-j"]


def test_doctor_says_what_to_install() -> None:
    with pytest.raises(NsmlctlError) as caught:
        check_installed(lambda name: name != "docker")
    assert "not installed" in str(caught.value)
