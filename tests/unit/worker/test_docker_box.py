"""What the engine is asked to make of a spec."""

from pathlib import Path
from typing import Any

import pytest

from nsml_worker.box import Box
from nsml_worker.containers.box import Image, Site, limit, make_container
from nsml_worker.contract import Limits, Mount, RunKind, RunSpec, Tree
from nsml_worker.errors import BoxFailed

UUIDS = ("GPU-11111111-aaaa", "GPU-22222222-bbbb")
IMAGE = Image("sha256:abc", "/usr/bin/python3", "/opt/bin:/usr/bin")


def make(tmp_path: Path, image: Image = IMAGE, site: Site | None = None, **spec: Any) -> dict[str, Any]:
    words: dict[str, Any] = {
        "kind": RunKind.TRAIN, "session": "u/kin/1", "image": "default", "argv": ("python", "-u", "main.py", "-x"),
        "mounts": (Mount("/app", Tree(), writable=True), Mount("/data/kin", Tree())), **spec,
    }  # fmt: skip
    (tmp_path / "disk").mkdir(exist_ok=True)
    box = Box(tmp_path, RunSpec(run_id=7, attempt=2, **words), "secret")
    places = {"/data/kin": tmp_path / "views/1"}
    return make_container(box, places, image, 61200, site or Site(Path("/sdk-here"), 2**34), {"nsml.run": "7"})


def variables(made: dict[str, Any]) -> dict[str, str | None]:
    return {name: value if sign else None for name, sign, value in (one.partition("=") for one in made["Env"])}


class TestGpus:
    def test_the_engine_is_asked_for_the_very_devices(self, tmp_path: Path) -> None:
        made = make(tmp_path, limits=Limits(gpus=UUIDS))
        assert made["HostConfig"]["DeviceRequests"] == [{"DeviceIDs": list(UUIDS), "Capabilities": [["gpu"]]}]

    def test_the_program_and_the_runtime_are_told_the_same(self, tmp_path: Path) -> None:
        seen = variables(make(tmp_path, limits=Limits(gpus=UUIDS)))
        assert seen["CUDA_VISIBLE_DEVICES"] == seen["NVIDIA_VISIBLE_DEVICES"] == ",".join(UUIDS)
        assert seen["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"

    def test_a_box_without_gpus_gets_none_though_its_image_asks_for_all(self, tmp_path: Path) -> None:
        image = Image("sha256:abc", "/usr/bin/python3", "/usr/bin", ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_REQUIRE_CUDA"))
        made = make(tmp_path, image)
        seen = variables(made)
        assert made["HostConfig"]["DeviceRequests"] == []
        assert (seen["NVIDIA_VISIBLE_DEVICES"], seen["CUDA_VISIBLE_DEVICES"]) == ("void", "")
        assert seen["NVIDIA_REQUIRE_CUDA"] is None  # a bare name takes the image's away


class TestSite:
    def test_an_oci_runtime_is_named_where_the_operator_wants_one(self, tmp_path: Path) -> None:
        assert "Runtime" not in make(tmp_path)["HostConfig"]
        assert make(tmp_path, site=Site(Path("/s"), 1, runtime="runsc"))["HostConfig"]["Runtime"] == "runsc"

    @pytest.mark.parametrize(
        ("kind", "network"),
        [(RunKind.TRAIN, "open"), (RunKind.FORK, "open"), (RunKind.SERVE, "none"), (RunKind.PREDICT, "none"), (RunKind.SCORE, "none")],
    )  # fmt: skip
    def test_only_training_may_have_the_competition_s_network(
        self, tmp_path: Path, kind: RunKind, network: str
    ) -> None:
        made = make(tmp_path, site=Site(Path("/s"), 1, networks=("other", "open")), kind=kind, network="open")
        assert (made["HostConfig"]["NetworkMode"], made["NetworkDisabled"]) == (network, network == "none")

    def test_what_the_operator_allows_is_for_competitions_that_ask_for_it(self, tmp_path: Path) -> None:
        assert make(tmp_path, site=Site(Path("/s"), 1, networks=("open",)))["HostConfig"]["NetworkMode"] == "none"

    def test_a_network_that_is_not_allowed_here_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(BoxFailed, match="'host' is not allowed on this machine, by NSML_BOX_NETWORKS: open"):
            make(tmp_path, site=Site(Path("/s"), 1, networks=("open",)), network="host")


class TestWhatIsSeen:
    def test_nothing_can_be_written_to_but_the_box_s_own_disk(self, tmp_path: Path) -> None:
        mounts = make(tmp_path)["HostConfig"]["Mounts"]
        writable = {mount["Target"]: mount["Source"] for mount in mounts if not mount["ReadOnly"]}
        assert set(writable) == {"/app", "/nsml", "/tmp", "/keep"}
        assert all(source.startswith(f"{tmp_path}/disk/") for source in writable.values())
        assert {mount["Target"] for mount in mounts if mount["ReadOnly"]} == {"/sdk", "/nsml/fetched", "/data/kin"}

    def test_the_program_is_started_by_its_image_s_python_with_its_own_words(self, tmp_path: Path) -> None:
        made = make(tmp_path)
        assert made["Entrypoint"][0] == "/usr/bin/python3"
        assert made["Cmd"] == ["/usr/bin/python3", "-u", "main.py", "-x"]
        assert variables(made)["PATH"] == "/opt/bin:/usr/bin"

    def test_variables_of_the_loader_and_of_python_are_the_image_s_no_more(self, tmp_path: Path) -> None:
        image = Image(
            "sha256:abc", "/usr/bin/python3", "/usr/bin", ("LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "LANG", "MINE")
        )
        seen = variables(make(tmp_path, image))
        assert (seen["LD_PRELOAD"], seen["PYTHONHOME"], seen["PYTHONPATH"]) == (None, None, "/sdk:/app")
        assert "MINE" not in seen  # so the engine leaves it as the image sets it

    def test_a_volume_of_the_image_is_no_way_to_a_disk_without_a_limit(self, tmp_path: Path) -> None:
        image = Image("sha256:abc", "/usr/bin/python3", "/usr/bin", volumes=("/models", "/app", "/data/kin"))
        loose = make(tmp_path, image)["HostConfig"]["Tmpfs"]
        assert set(loose) == {"/models"}
        assert "ro" in loose["/models"].split(",")

    @pytest.mark.parametrize(
        ("limits", "eighths"),
        [(Limits(cpus=1), 1), (Limits(cpus=1, gpus=("GPU-1",)), 4), (Limits(cpus=8), 8), (Limits(cpus=100), 8)],
    )
    def test_who_asks_for_no_memory_gets_as_much_of_it_as_of_the_processors_or_gpus(
        self, limits: Limits, eighths: int
    ) -> None:
        host = limit(limits, Site(Path("/s"), 16 * 2**30, cpus=8, gpus=2))  # of which a sixteenth is the node's own
        assert host["Memory"] == host["MemorySwap"] == 15 * 2**30 * eighths // 8

    def test_who_asks_for_memory_gets_what_he_asks_for(self) -> None:
        assert limit(Limits(memory=5), Site(Path("/s"), 16 * 2**30, cpus=8))["Memory"] == 5

    def test_without_a_limit_of_memory_shared_memory_still_has_one(self, tmp_path: Path) -> None:
        host = make(tmp_path)["HostConfig"]
        assert (host["Memory"], host["MemorySwap"], host["ShmSize"]) == (0, 0, 2**33)
