"""How a container is sealed, seen from inside and as the engine has it."""

import json
from typing import Any

import pytest

from nsml_worker.contract import EndReason, FileEntry, Limits, Mount, RunKind, Tree

LOOK = """
import json, os, resource, socket
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def can_write(path):
    try:
        open(path + "/.try", "w").close()
        os.unlink(path + "/.try")
        return True
    except OSError:
        return False
def read_limit(name):
    for path in ("/sys/fs/cgroup/" + name, "/sys/fs/cgroup/%s/%s" % (name.split(".")[0], name)):
        if os.path.exists(path):
            return open(path).read().split()[0]
mounts = {line.split()[1]: line.split() for line in open("/proc/self/mounts")}
print(json.dumps({
    "status": {name: status[name].split()[0] for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")},
    "uids": status["Uid"].split(), "gids": status["Gid"].split(), "groups": os.getgroups(),
    "links": [name for _, name in socket.if_nameindex()],
    "hostname": socket.gethostname(), "init": open("/proc/1/comm").read().strip(), "cwd": os.getcwd(),
    "writable": [path for path in ("/", "/etc", "/usr", "/var/tmp", "/sdk", "/data/kin", "/app", "/tmp", "/nsml", "/dev/shm") if can_write(path)],
    "options": {path: mounts[path][3].split(",") for path in ("/app", "/tmp", "/nsml", "/data/kin", "/sdk")},
    "kinds": {path: mounts[path][2] for path in ("/app", "/tmp", "/nsml")},
    "memory": read_limit("memory.limit_in_bytes") or read_limit("memory.max"),
    "pids": read_limit("pids.max"),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
    "disk": os.statvfs("/app").f_blocks * os.statvfs("/app").f_frsize,
    "oom": open("/proc/self/oom_score_adj").read().strip(),
    "environment": dict(os.environ), "root": sorted(os.listdir("/")),
    "socket": os.path.exists("/var/run/docker.sock"),
    "devices": sorted(os.listdir("/dev")), "stdin": os.readlink("/proc/self/fd/0"),
}))
"""


def mount_data(site: Any) -> Mount:
    return Mount("/data/kin", site.tree({"train/train_data": "abc"}))


def look(site: Any, **more: Any) -> dict[str, Any]:
    argv = ("python", "-c", LOOK)  # a scorer does not stand in the code's folder
    end, output = site.finish("", mounts=(mount_data(site),), dataset="kin", argv=argv, **more)
    assert end.reason is EndReason.EXITED, (end, output)
    return json.loads(output)


def test_a_box_has_no_rights_no_network_and_no_way_to_get_some(docker_site: Any) -> None:
    seen = look(docker_site, limits=Limits(memory=2**28, processes=100, shm=2**24, disk=2**26))
    nothing = "0000000000000000"
    assert seen["status"] == {
        "CapEff": nothing, "CapPrm": nothing, "CapBnd": nothing, "NoNewPrivs": "1", "Seccomp": "2",
    }  # fmt: skip
    assert set(seen["links"]) <= {
        "lo",
        "tunl0",
        "sit0",
        "ip6tnl0",
    }  # some kernels make the others, down, in each namespace
    assert len(set(seen["uids"] + seen["gids"])) == 1
    assert 61184 <= int(seen["uids"][0]) <= 65519
    assert seen["groups"] in ([], [int(seen["gids"][0])])
    assert not seen["socket"]
    assert seen["stdin"] == "/dev/null"
    assert (seen["hostname"], seen["init"], seen["cwd"]) == ("nsml", "docker-init", "/app")


def test_only_what_has_a_limit_can_be_written_to(docker_site: Any) -> None:
    seen = look(docker_site, limits=Limits(memory=2**28, processes=100, shm=2**24, disk=2**26))
    assert seen["writable"] == ["/app", "/tmp", "/nsml", "/dev/shm"]
    assert set(seen["kinds"].values()) == {"ext4"}
    for path in ("/app", "/tmp", "/nsml"):
        assert {"nosuid", "nodev", "rw"} <= set(seen["options"][path])
    for path in ("/data/kin", "/sdk"):
        assert "ro" in seen["options"][path]
    assert seen["disk"] <= 2**26
    assert seen["shm"] == 2**24


def test_what_a_box_may_use_is_what_the_spec_says(docker_site: Any) -> None:
    seen = look(docker_site, limits=Limits(memory=2**28, processes=100, shm=2**24))
    assert (seen["memory"], seen["pids"]) == (str(2**28), "102")  # the init and the keeper come on top
    assert (seen["core"], seen["oom"]) == ([0, 0], "500")
    assert seen["files"][0] == seen["files"][1] <= 2**16


def test_the_variables_of_a_box_are_built_from_nothing_of_ours(docker_site: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("NSML_NODE_TOKEN", "canary")
    environment = look(docker_site)["environment"]
    assert "canary" not in environment.values()
    assert environment["PYTHONPATH"] == "/sdk:/app"
    assert (environment["NSML_HOME"], environment["NSML_DATASET_PATH"]) == ("/nsml", "/data/kin")
    assert (environment["HOME"], environment["CUDA_VISIBLE_DEVICES"]) == ("/tmp", "")
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_a_spec_without_limits_of_its_own_still_has_a_bounded_disk(docker_site: Any) -> None:
    seen = look(docker_site)
    assert seen["disk"] <= docker_site.disk
    assert seen["writable"] == ["/app", "/tmp", "/nsml", "/dev/shm"]


@pytest.mark.parametrize("kind", [RunKind.PREDICT, RunKind.SCORE])
def test_what_predicts_or_scores_has_no_network_whatever_the_operator_allows(docker_site: Any, kind: RunKind) -> None:
    docker_site.allow_network("bridge")
    assert "eth0" not in look(docker_site, kind=kind, network="bridge")["links"]


def test_a_training_of_a_competition_that_may_have_a_network_has_it(docker_site: Any) -> None:
    docker_site.allow_network("bridge")
    assert "eth0" in look(docker_site, network="bridge")["links"]


def test_the_engine_was_told_every_limit(docker_site: Any) -> None:
    worker = docker_site.start_worker()
    limits = Limits(cpus=1, memory=2**28, processes=100, shm=2**24, disk=2**26)
    box = docker_site.offer("import time; print('here'); time.sleep(600)", limits=limits)
    worker.take(1, "run-secret-canary")
    docker_site.wait_for_output(1, b"here\n")
    (one,) = docker_site.engine.containers("box")
    made = docker_site.engine.inspect(one["Id"])
    host = made["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (2**28, 2**28, 10**9)
    assert (host["PidsLimit"], host["ShmSize"], host["Init"]) == (102, 2**24, True)
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert (host["SecurityOpt"], host["Privileged"]) == (["no-new-privileges:true"], False)
    assert not any((host["CapAdd"], host["Devices"], host["DeviceRequests"]))
    assert (host["LogConfig"]["Type"], host["RestartPolicy"]["Name"], host["AutoRemove"]) == ("none", "no", False)
    assert (host["IpcMode"], host["PidMode"], host["UsernsMode"]) == ("private", "", "")
    assert made["Config"]["Labels"] == {
        "nsml.node": "local", "nsml.folder": str(docker_site.folder), "nsml.kind": "box",
        "nsml.run": "1", "nsml.attempt": str(box.attempt),
    }  # fmt: skip
    assert made["AppArmorProfile"] != "unconfined"


def test_nothing_an_image_sets_is_carried_into_the_box(docker_site: Any, make_image: Any, wait_until: Any) -> None:
    """An ENTRYPOINT, a user, a folder, variables of the loader and of Python, a volume that nobody limits."""
    make_image(
        "ENTRYPOINT /bin/false", "USER root", "WORKDIR /root", 'VOLUME ["/loose", "//app", "rest"]', "HEALTHCHECK --interval=1s CMD touch /tmp/sick",
        "ENV LD_PRELOAD=/nowhere.so PYTHONSTARTUP=/nowhere NVIDIA_VISIBLE_DEVICES=all KEPT=yes",
    )  # fmt: skip
    docker_site.start_worker()
    box = docker_site.offer("import time; print('here'); time.sleep(600)", 4, "run-secret-4")
    docker_site.agents[-1].take(4, "run-secret-4")
    docker_site.wait_for_output(4, b"here\n")
    (one,) = docker_site.engine.containers("box")
    made = docker_site.engine.inspect(one["Id"])
    (loose,) = (mount for mount in made["Mounts"] if mount["Type"] == "volume")
    assert (
        loose["Destination"] == "rest"
    )  # the engine makes one for a relative name, and what covers /rest lies over it
    assert made["State"].get("Health") is None
    docker_site.memory.stops.append(box)
    docker_site.memory.wait_for_end(box)
    wait_until(lambda: loose["Name"] not in [one["Name"] for one in docker_site.engine.api.volumes()["Volumes"] or ()])
    seen = look(docker_site)
    environment = seen["environment"]
    assert not {"LD_PRELOAD", "PYTHONSTARTUP"} & set(environment)
    assert (environment["NVIDIA_VISIBLE_DEVICES"], environment["KEPT"]) == ("void", "yes")
    assert seen["cwd"] == "/app"
    assert "/app" in seen["writable"]
    for run_id, folder in ((2, "/loose"), (3, "/rest")):
        end, output = docker_site.finish(f"open('{folder}/file', 'w')", run_id=run_id)
        assert end.reason is EndReason.EXIT_CODE
        assert "Read-only file system" in output


def test_the_program_of_the_scorer_stands_at_the_root_and_sees_the_labels_only_there(docker_site: Any) -> None:
    seen = look(docker_site, kind=RunKind.SCORE)
    assert seen["cwd"] == "/"
    assert set(seen["root"]) >= {"app", "data", "nsml", "sdk", "tmp"}


def test_an_oci_runtime_that_the_engine_does_not_have_is_named(docker_site: Any) -> None:
    docker_site.use_runtime("runsc")
    end, _ = docker_site.finish("print(1)")
    assert end.reason is EndReason.NODE_ERROR
    assert "runsc" in end.detail


def test_data_of_a_box_is_for_nobody_else_on_the_machine(docker_site: Any) -> None:
    worker = docker_site.start_worker()
    box = docker_site.offer("import time; print('here'); time.sleep(600)", mounts=(mount_data(docker_site),))
    worker.take(1, "run-secret-canary")
    docker_site.wait_for_output(1, b"here\n")
    folder = docker_site.boxes / str(box)
    assert (folder / "views").stat().st_mode & 0o777 == 0o700
    assert (folder / "record.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "disk/app").stat().st_mode & 0o777 == 0o700


def test_a_broken_tree_of_the_server_leaves_nothing(docker_site: Any) -> None:
    tree = Tree((FileEntry("../out", 3, docker_site.memory.keep(b"abc")),))
    end, _ = docker_site.finish("print(1)", mounts=(Mount("/data/kin", tree),))
    assert end.reason is EndReason.NODE_ERROR
    assert not (docker_site.boxes / "1-1/views/out").exists()
