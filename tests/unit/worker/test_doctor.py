"""What a machine can enforce is told in one line each, with what to do about it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nsml_worker import doctor
from nsml_worker.checkup import Finding, Level, judge_version, version_of
from nsml_worker.containers.doctor import RUNC_SAFE, examine_engine, judge_engine, judge_images
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.site import ImageSite
from nsml_worker.errors import EngineFailed

INFO: dict[str, Any] = {
    "Driver": "overlay2",
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "CgroupVersion": "2",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Runtimes": {"runc": {}, "runsc": {}, "io.containerd.runc.v2": {}},
}
VERSION: dict[str, Any] = {
    "Version": "28.0.1",
    "ApiVersion": "1.48",
    "Components": [{"Name": "Engine", "Version": "28.0.1"}, {"Name": "runc", "Version": "1.3.3"}],
}


def weak(findings: Sequence[Finding]) -> set[str]:
    return {finding.name for finding in findings if finding.level is not Level.OK}


def test_an_engine_that_can_do_everything_has_nothing_to_be_told() -> None:
    assert weak(judge_engine(INFO, VERSION)) == set()


@pytest.mark.parametrize(
    ("info", "version", "name"),
    [
        ({"MemoryLimit": False}, {}, "memory limit"),
        ({"SwapLimit": False}, {}, "swap limit"),
        ({"PidsLimit": False}, {}, "process limit"),
        ({"CpuCfsQuota": False}, {}, "CPU limit"),
        ({"SecurityOptions": ["name=apparmor"]}, {}, "seccomp"),
        ({"SecurityOptions": ["name=seccomp,profile=unconfined"]}, {}, "seccomp"),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, {}, "users of boxes"),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, {}, "users of boxes"),
        ({"Runtimes": {"runc": {}}}, {}, "OCI runtimes"),
        ({}, {"ApiVersion": "1.40"}, "engine"),
        ({}, {"Components": [{"Name": "runc", "Version": "1.1.11"}]}, "runc"),
        ({}, {"Components": []}, "runc"),
    ],
)
def test_what_an_engine_cannot_do_is_named_with_what_to_do(
    info: dict[str, Any], version: dict[str, Any], name: str
) -> None:
    findings = judge_engine({**INFO, **info}, {**VERSION, **version})
    assert weak(findings) == {name}
    assert all(finding.advice for finding in findings if finding.name == name)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("1.1.5+ds1", Level.WEAKER),
        ("1.2.8", Level.OK),
        ("1.3.2", Level.WEAKER),
        ("1.3.3", Level.OK),
        ("1.4.0", Level.OK),
    ],
)
def test_a_series_is_safe_from_its_own_correction_on(version: str, level: Level) -> None:
    assert judge_version("runc", version, RUNC_SAFE, "holes").level is level


def test_a_version_is_found_in_what_a_program_says() -> None:
    assert version_of("NVIDIA Container Toolkit CLI version 1.17.8\ncommit: f202b80") == (1, 17, 8)
    assert version_of("unknown") == ()


def test_an_engine_that_does_not_answer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Engine:
        raise EngineFailed("The Docker engine does not answer: nobody listens.")

    monkeypatch.setattr(Engine, "open", refuse)
    (finding,) = examine_engine({})
    assert (finding.name, finding.level) == ("engine", Level.MISSING)
    assert "processes" in finding.advice


def test_what_seals_boxes_is_tried_rather_than_believed() -> None:
    failing = doctor.examine_processes(lambda _: (1, "bwrap: No permissions to create new namespace\nmore"))
    assert {finding.level for finding in failing} == {Level.MISSING}
    assert "No permissions to create new namespace" in failing[0].text
    assert weak(doctor.examine_processes(lambda _: (0, ""))) == set()


def test_a_machine_without_any_wall_is_not_usable() -> None:
    assert not doctor.is_usable([Finding("engine", Level.MISSING, ""), Finding("bubblewrap", Level.WEAKER, "")])
    assert doctor.is_usable([Finding("engine", Level.MISSING, ""), Finding("bubblewrap", Level.OK, "")])


ENGINE = [Finding("engine", Level.OK, ""), Finding("users of boxes", Level.OK, "")]
IMAGES, NO_IMAGES = (Finding("runtime images", level, "") for level in (Level.OK, Level.MISSING))
BUBBLEWRAP, CLOCK = Finding("bubblewrap", Level.OK, ""), Finding("clock", Level.WEAKER, "")


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([*ENGINE, IMAGES, BUBBLEWRAP], "A worker here runs each program in a container of its own."),
        ([*ENGINE, NO_IMAGES, BUBBLEWRAP], "A worker here runs programs as processes, sealed by bubblewrap."),
        ([ENGINE[0], Finding("users of boxes", Level.MISSING, ""), IMAGES], "Boxes cannot be sealed here: "),
        ([*ENGINE, NO_IMAGES], "Once the runtime images are here, "),
        ([CLOCK], "run programs of people you trust only. 1 line says where it is weaker than it could be."),
    ],
)
def test_the_last_line_says_what_a_worker_would_do_here(findings: list[Finding], said: str) -> None:
    assert said in doctor.conclude(findings)


def test_an_engine_that_renumbers_users_is_told_to_stop_that_and_nobody_is_advised_to_begin() -> None:
    remapping = judge_engine({**INFO, "SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, VERSION)
    (finding,) = [one for one in remapping if one.name == "users of boxes"]
    assert "cannot read the folders made for them" in finding.text
    assert 'Take "userns-remap" out' in finding.advice
    assert not any("userns-remap" in one.advice for one in judge_engine(INFO, VERSION))


@pytest.mark.parametrize(
    ("tags", "site", "level"),
    [
        (["nsmlctl/runtime-default:latest", "python:3.11"], ImageSite(), Level.OK),
        (["nsmlctl/runtime-tf1:latest"], ImageSite(), Level.MISSING),
        (["nsmlctl/runtime-default:latest"], ImageSite(cuda=True), Level.MISSING),
        ([], ImageSite("registry.example.org/nsml/"), Level.OK),
    ],
)
def test_the_runtime_images_are_looked_for(tags: list[str], site: ImageSite, level: Level) -> None:
    assert judge_images(tags, site).level is level


def test_gpus_without_the_toolkit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = {"uuid": "GPU-1", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"}
    monkeypatch.setattr(doctor, "find_gpus", lambda: ([gpu, gpu], ""))
    found, toolkit = doctor.examine_gpus(lambda _: (127, ""))
    assert found.text == "2 (Tesla P40), driver 418.67"
    assert toolkit.level is Level.MISSING
    assert doctor.examine_gpus(lambda _: (0, "NVIDIA Container Toolkit CLI version 1.17.7"))[1].level is Level.WEAKER
    assert doctor.examine_gpus(lambda _: (0, "NVIDIA Container Toolkit CLI version 1.18.0"))[1].level is Level.OK


def test_a_driver_that_fails_is_not_told_as_a_machine_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_gpus", lambda: ([], "Driver/library version mismatch"))
    (found,) = doctor.examine_gpus(lambda _: (0, ""))
    assert found.text == "NVML fails: Driver/library version mismatch"


def test_the_findings_are_lines_or_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: [Finding("bubblewrap", Level.OK, "sealed")])
    assert doctor.main(["--data", str(tmp_path)]) == 0
    line, blank, last = capsys.readouterr().out.splitlines()
    assert (line, blank) == ("ok       bubblewrap         sealed", "")
    assert last.startswith("A worker here runs programs as processes")
    doctor.main(["-j"])
    told = json.loads(capsys.readouterr().out)
    assert told == {"findings": [{"name": "bubblewrap", "level": "ok", "text": "sealed", "advice": ""}]}


def test_room_and_clock_are_looked_at(tmp_path: Path) -> None:
    assert doctor.examine_space(tmp_path / "not" / "there").text.endswith(str(tmp_path))
    assert doctor.examine_clock().level in (Level.OK, Level.WEAKER)


def test_logins_that_builds_could_read_are_told(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://operator:word@index.test/simple\n")
    given = {"PIP_INDEX_URL": "https://index.test/simple", "PIP_CONFIG_FILE": str(config)}
    assert doctor.examine_builds({"PIP_INDEX_URL": "https://index.test/simple"}).level is Level.OK
    kept = doctor.examine_builds(given)
    assert (kept.level, kept.text) == (Level.WEAKER, "kept from pip: PIP_CONFIG_FILE")
    shown = doctor.examine_builds({**given, "NSML_BUILD_SECRETS": "1"})
    assert (shown.level, shown.text) == (Level.WEAKER, "packages that are built can read PIP_CONFIG_FILE")
