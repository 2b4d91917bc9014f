"""How bytes travel: packs, single files, limits, and files that change meanwhile."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from nsmlctl.errors import CannotUpload
from nsmlctl.hashes import HashCache
from nsmlctl.ignore import read_rules
from nsmlctl.manifest import Manifest, ManifestEntry, hash_files, walk
from nsmlctl.pack import MAX_PACK_BYTES, MAX_PACK_FILES, SMALL, build_pack, check_limits, plan_packs
from nsmlctl.upload import AT_ONCE, plan_upload, send
from nsmlctl.workplace import Workplace


def entry(path: str, size: int = 1, digest: str | None = None) -> ManifestEntry:
    return ManifestEntry(path, size, digest or path, 0o644, Path(path))


def manifest_of(folder: Path) -> Manifest:
    return hash_files(walk(folder, read_rules(folder)), HashCache(folder.parent / "home", folder))


def unpack(pack: bytes) -> dict[str, bytes]:
    (length,) = struct.unpack(">I", pack[:4])
    found, rest = {}, pack[4 + length :]
    for digest, size in json.loads(pack[4 : 4 + length]):
        found[digest], rest = rest[:size], rest[size:]
    assert not rest
    return found


class TestPlan:
    def test_only_what_the_server_lacks_is_sent(self) -> None:
        plan = plan_packs(Manifest((entry("a"), entry("b"))), ["b"])
        assert [[e.path for e in pack] for pack in plan.packs] == [["b"]]

    def test_the_same_bytes_travel_once(self) -> None:
        plan = plan_packs(Manifest((entry("a", digest="same"), entry("b", digest="same"))), ["same"])
        assert plan.size == 1

    def test_big_files_travel_singly(self) -> None:
        plan = plan_packs(Manifest((entry("big", SMALL + 1), entry("small", SMALL))), ["big", "small"])
        assert [e.path for e in plan.singles] == ["big"]
        assert [[e.path for e in pack] for pack in plan.packs] == [["small"]]

    def test_no_pack_is_larger_than_agreed(self) -> None:
        files = tuple(entry(f"{n:04}", SMALL) for n in range(70)) + tuple(entry(f"t{n:05}") for n in range(2500))
        plan = plan_packs(Manifest(files), [file.hash for file in files])
        assert all(sum(e.size for e in pack) <= MAX_PACK_BYTES and len(pack) <= MAX_PACK_FILES for pack in plan.packs)
        assert sum(map(len, plan.packs)) == len(files)


class TestPack:
    def test_a_pack_is_header_then_bytes(self, folder: Path) -> None:
        (folder / "a").write_bytes(b"aa")
        (folder / "empty").write_bytes(b"")
        packed = unpack(build_pack(manifest_of(folder).entries))
        assert packed == {blake3(b"aa").hexdigest(): b"aa", blake3(b"").hexdigest(): b""}

    @pytest.mark.parametrize("now", [b"other", b"longer than before", b"", b"short"])
    def test_a_file_that_changed_since_it_was_hashed_is_named(self, folder: Path, now: bytes) -> None:
        (folder / "a").write_bytes(b"first")
        manifest = manifest_of(folder)
        (folder / "a").write_bytes(now)
        with pytest.raises(CannotUpload, match="'a' changed"):
            build_pack(manifest.entries)

    def test_a_link_put_in_place_of_a_file_is_not_followed(self, folder: Path) -> None:
        (folder / "a").write_bytes(b"first")
        manifest = manifest_of(folder)
        (folder / "a").unlink()
        (folder / "a").symlink_to("/etc/hostname")
        with pytest.raises(CannotUpload, match="'a'"):
            build_pack(manifest.entries)


class TestSend:
    def test_everything_arrives_and_every_byte_is_told_once(
        self, platform: Any, place: Workplace, folder: Path
    ) -> None:
        contents = [bytes([n]) * (SMALL + n) for n in range(3)] + [b"small", b"tiny"]
        for number, content in enumerate(contents):
            (folder / f"f{number}").write_bytes(content)
        received: dict[str, bytes] = {}

        def put(call: Any) -> dict[str, Any]:
            received[call.path.removeprefix("/blobs/")] = call.body
            return {}

        def packs(call: Any) -> dict[str, Any]:
            received.update(unpack(call.body))
            return {}

        platform.on("POST", "/blobs/missing", lambda call: {"missing": call.content["hashes"]})
        platform.on("POST", "/packs", packs)
        for content in contents:
            platform.on("PUT", f"/blobs/{blake3(content).hexdigest()}", put)
        told: list[int] = []
        api = place.api()
        send(api, plan_upload(api, manifest_of(folder)), told.append)
        assert received == {blake3(content).hexdigest(): content for content in contents}
        assert sum(told) == sum(map(len, contents))

    def test_what_the_server_has_is_not_sent_again(self, platform: Any, place: Workplace, folder: Path) -> None:
        (folder / "a").write_bytes(b"aa")
        platform.on("POST", "/blobs/missing", {"missing": []})
        api = place.api()
        send(api, plan_upload(api, manifest_of(folder)), lambda sent: None)
        assert [call.path for call in platform.calls] == ["/blobs/missing"]

    def test_a_big_file_that_shrinks_meanwhile_is_named(self, platform: Any, place: Workplace, folder: Path) -> None:
        (folder / "big").write_bytes(b"x" * (SMALL + 1))
        platform.on("POST", "/blobs/missing", lambda call: {"missing": call.content["hashes"]})
        api = place.api()
        plan = plan_upload(api, manifest_of(folder))
        (folder / "big").write_bytes(b"x")
        with pytest.raises(CannotUpload, match="'big' changed"):
            send(api, plan, lambda sent: None)

    def test_the_first_failure_stops_the_others(
        self, platform: Any, place: Workplace, folder: Path, refuse: Any
    ) -> None:
        for number in range(20):
            (folder / f"f{number}").write_bytes(bytes([number]) * (SMALL + 1))
        platform.on("POST", "/blobs/missing", lambda call: {"missing": call.content["hashes"]})
        api = place.api()
        plan = plan_upload(api, manifest_of(folder))
        for single in plan.singles:
            platform.on("PUT", f"/blobs/{single.hash}", lambda call: refuse(507, "disk_full", "The disk is full."))
        with pytest.raises(Exception, match="The disk is full"):
            send(api, plan, lambda sent: None)
        assert len(platform.calls) <= 1 + AT_ONCE


class TestLimits:
    def test_too_many_files_are_counted(self) -> None:
        with pytest.raises(CannotUpload, match="has 2 files; this platform takes 1"):
            check_limits(Manifest((entry("a"), entry("b"))), {"upload_files": 1}, "kin")

    def test_too_large_a_file_is_named(self) -> None:
        with pytest.raises(CannotUpload, match="'b' has 20 bytes"):
            check_limits(Manifest((entry("a"), entry("b", 20))), {"file_bytes": 10}, "kin")

    def test_too_much_in_all_names_the_largest(self) -> None:
        with pytest.raises(CannotUpload, match=r"has 30 bytes.*b \(20\), a \(10\)"):
            check_limits(Manifest((entry("a", 10), entry("b", 20))), {"upload_bytes": 29}, "kin")

    def test_what_fits_passes(self) -> None:
        limits = {"upload_bytes": 1, "upload_files": 1, "file_bytes": 1}
        check_limits(Manifest((entry("a"),)), limits, "kin")
        check_limits(Manifest(()), {}, "kin")
