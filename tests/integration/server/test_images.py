"""What a run asks for is looked up when it is accepted, told to its author, and given to the worker."""

import dataclasses
from typing import Any

import pytest

CODE = {"main.py": b"import nsml\n"}
SETUP = b"from setuptools import setup\nsetup(name='x', install_requires=['konlpy>=0.5', 'numpy'])\n"


@pytest.fixture
def operator(join: Any) -> Any:
    return join("operator", admin=True)


def run(person: Any, **files: bytes) -> Any:
    """Run main.py with a setup.py, requirements.txt or nsml_package.txt beside it."""
    names = {"setup": "setup.py", "requirements": "requirements.txt", "packages": "nsml_package.txt"}
    return person.run(None, files={**CODE, **{names[name]: data for name, data in files.items()}})


def set_unknown_images(client: Any, platform: Any, word: str) -> None:
    settings = platform.settings.model_copy(update={"unknown_images": word})
    client.app.state.platform = dataclasses.replace(platform, settings=settings)


def test_the_worker_is_given_the_interpreter_the_requirements_and_their_key(
    mina: Any, operator: Any, worker: Any
) -> None:
    worker.hello()
    target = {"target": "python:/opt/tf1/bin/python", "note": "TensorFlow 1.5"}
    assert operator.call("PUT", "/images/tf1", json=target).status_code == 200
    answer = run(mina, setup=b"#nsml: nsml/default_ml:tf-1.11\n" + SETUP, packages=b"g++ # for konlpy\n").json()
    assert answer["image"] == "nsml/default_ml:tf-1.11"
    alias, note, packages = answer["notes"]
    assert "nsml/default_ml:tf-1.11" in alias
    assert note == "TensorFlow 1.5."
    assert "g++" in packages
    assert mina.session(answer["name"])["notes"] == answer["notes"]
    wanted = worker.take_one().spec["environment_of"]
    assert wanted["interpreter"] == "/opt/tf1/bin/python"
    assert wanted["requirements"] == ["konlpy>=0.5", "numpy"]
    assert wanted["packages"] == ["g++"]
    assert len(wanted["key"]) == 64
    assert wanted["unavailable"] == ""


def test_a_runtime_of_the_platform_is_given_by_its_name_where_a_machine_has_it(mina: Any, worker: Any) -> None:
    worker.hello(images=["default", "torch1"])
    answer = run(mina, setup=b"#nsml: pytorch/pytorch:1.2-cuda10.0-cudnn7-runtime\n" + SETUP).json()
    assert len(answer["notes"]) == 1
    wanted = worker.take_one().spec["environment_of"]
    assert (wanted["runtime"], wanted["interpreter"]) == ("torch1", None)


def test_without_such_a_machine_the_default_stands_in_with_a_note_until_one_comes(mina: Any, worker: Any) -> None:
    worker.hello()
    answer = run(mina, setup=b"#nsml: keras2\n" + SETUP).json()
    assert "platform's default Python" in answer["notes"][0]
    worker.hello(images=["default", "keras2"])
    assert mina.session(answer["name"])["notes"] == []
    assert worker.take_one().spec["environment_of"]["runtime"] == "keras2"


def test_a_folder_that_asks_for_nothing_gets_the_platforms_own(mina: Any, worker: Any) -> None:
    worker.hello()
    answer = run(mina).json()
    assert (answer["image"], answer["notes"]) == ("default", [])
    wanted = worker.take_one().spec["environment_of"]
    assert (wanted["interpreter"], wanted["requirements"], wanted["unavailable"]) == (None, [], "")


def test_a_submit_predicts_where_it_was_trained_and_is_scored_in_the_platforms_own(
    mina: Any, operator: Any, worker: Any
) -> None:
    mina.push()
    worker.hello()
    operator.call("PUT", "/images/old", json={"target": "python:/opt/old/bin/python"})
    name = mina.run("kin", files={**CODE, "setup.py": b"#nsml: old\n" + SETUP}).json()["name"]
    trained = worker.train().spec["environment_of"]
    mina.submit(name)
    assert worker.predict().spec["environment_of"] == trained
    scored = worker.take_one().spec["environment_of"]
    assert (scored["interpreter"], scored["requirements"]) == (None, [])


def test_an_image_that_nobody_knows_runs_in_what_is_nearest_with_a_note(mina: Any, worker: Any) -> None:
    worker.hello(images=["default", "torch1"])
    answer = run(mina, setup=b"#nsml: somebody/cuda10.1-pytorch1.5\n").json()
    (note,) = answer["notes"]
    assert "somebody/cuda10.1-pytorch1.5" in note
    assert "torch1 stands for it" in note
    assert mina.session(answer["name"])["notes"] == answer["notes"]
    assert worker.take_one().spec["environment_of"]["runtime"] == "torch1"


def test_a_line_that_is_the_name_of_no_image_does_not_stop_a_run(mina: Any, worker: Any) -> None:
    worker.hello(runner="docker")
    answer = run(mina, setup=b"#nsml: nvcr.io/nvidia/1. pytorch:20.08-py3\n")
    assert answer.status_code == 201
    assert "default stands for it" in answer.json()["notes"][0]
    assert worker.take_one().spec["environment_of"]["reference"] is None


def test_an_operator_may_have_unknown_images_refused_with_the_names_near_them(
    mina: Any, client: Any, platform: Any
) -> None:
    set_unknown_images(client, platform, "refuse")
    answer = run(mina, requirements=b"#nsml: kreas2\n")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "unknown_image"
    assert "kreas2" in error["message"]
    assert "keras2" in error["message"]
    assert mina.call("GET", "/sessions").json()["sessions"] == []


def test_a_line_we_do_not_install_from_is_refused_at_run(mina: Any) -> None:
    error = run(mina, requirements=b"numpy\n./local\n").json()["error"]
    assert error["code"] == "requirement_refused"
    assert "requirements.txt line 2" in error["message"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_files_are_read_as_windows_writes_them(mina: Any, worker: Any, encoding: str) -> None:
    worker.hello(images=["default", "tf1"])
    begin = b"\xfe\xff" if encoding == "utf-16-be" else b""
    lines = begin + "#nsml: tf1\r\n--no-cache-dir\r\nnumpy\r\n-r base.txt\r\n".encode(encoding)
    files = {**CODE, "requirements.txt": lines, "base.txt": "\ufeffscipy\r\n".encode()}
    answer = mina.run(None, files=files).json()
    assert answer["image"] == "tf1"
    assert [note for note in answer["notes"] if note.startswith("requirements.txt line 2,")] == answer["notes"]
    assert worker.take_one().spec["environment_of"]["requirements"] == ["numpy", "scipy"]


def test_what_was_accepted_and_is_gone_since_is_told_by_the_worker(
    mina: Any, operator: Any, worker: Any, client: Any, platform: Any
) -> None:
    set_unknown_images(client, platform, "refuse")
    operator.call("PUT", "/images/passing", json={"target": "python:/opt/x"})
    run(mina, setup=b"#nsml: passing\n")
    assert operator.call("DELETE", "/images/passing").status_code == 204
    worker.hello()
    assert "passing" in worker.take_one().spec["environment_of"]["unavailable"]


def test_the_table_is_the_operators_and_everybody_may_read_it(mina: Any, operator: Any) -> None:
    body = {"target": "alias:default", "note": "our speech image"}
    assert mina.call("PUT", "/images/team/speech:*", json=body).status_code == 403
    assert operator.call("PUT", "/images/team/speech:*", json=body).status_code == 200
    images = mina.call("GET", "/images").json()["images"]
    assert images[0] == {"name": "team/speech:*", "shipped": False, **body}
    assert {"default", "tf1", "keras2", "torch1"} <= {image["name"] for image in images if image["shipped"]}
    assert mina.call("DELETE", "/images/team/speech:*").status_code == 403
    assert operator.call("DELETE", "/images/team/speech:*").status_code == 204
    assert operator.call("DELETE", "/images/team/speech:*").status_code == 404


def test_a_shipped_entry_is_replaced_and_comes_back_but_is_not_removed(operator: Any) -> None:
    assert operator.call("DELETE", "/images/tf1").status_code == 409
    operator.call("PUT", "/images/tf1", json={"target": "platform"})
    assert [i["target"] for i in operator.call("GET", "/images").json()["images"] if i["name"] == "tf1"] == ["platform"]
    assert operator.call("DELETE", "/images/tf1").status_code == 204
    shipped = [i for i in operator.call("GET", "/images").json()["images"] if i["name"] == "tf1"]
    assert [image["shipped"] for image in shipped] == [True]


@pytest.mark.parametrize("target", ["alias:nowhere", "ssh:x", "python:relative", "alias:loop"])
def test_an_entry_that_leads_nowhere_is_refused(operator: Any, target: str) -> None:
    assert operator.call("PUT", "/images/loop", json={"target": target}).status_code == 422
    assert [i for i in operator.call("GET", "/images").json()["images"] if i["name"] == "loop"] == []


def test_where_a_node_runs_containers_packages_of_debian_are_installed_and_runtimes_are_genuine(
    mina: Any, worker: Any
) -> None:
    worker.hello(runner="docker", images=["default", "tf1"])
    answer = run(mina, requirements=b"#nsml: tf1\n", packages=b"g++\n").json()
    assert answer["notes"] == []
    wanted = worker.take_one().spec["environment_of"]
    assert (wanted["runtime"], wanted["interpreter"], wanted["reference"]) == ("tf1", None, None)
    assert wanted["packages"] == ["g++"]


def test_packages_of_debian_are_part_of_the_key(mina: Any, worker: Any) -> None:
    worker.hello(runner="docker")
    keys = set()
    for packages in (b"g++\n", b"tree\n", b"g++\n"):
        run(mina, packages=packages)
        keys.add(worker.train().spec["environment_of"]["key"])
    assert len(keys) == 2


def test_an_operator_may_let_unknown_images_be_pulled_where_there_are_containers(
    mina: Any, client: Any, platform: Any, worker: Any
) -> None:
    set_unknown_images(client, platform, "pull")
    assert "default stands for it" in run(mina, requirements=b"#nsml: ufoym/deepo:all\n").json()["notes"][0]
    mina.call("POST", "/sessions/mina/None/1/stop")
    worker.hello(runner="docker")
    assert run(mina, requirements=b"#nsml: -v/:/x\n").status_code == 422
    assert run(mina, requirements=b"#nsml: ufoym/deepo:all\n").status_code == 201
    assert worker.take_one().spec["environment_of"]["reference"] == "ufoym/deepo:all"


def test_a_node_is_told_what_is_likely_to_be_asked_for(mina: Any, operator: Any, worker: Any) -> None:
    worker.hello(runner="docker")
    operator.call("PUT", "/images/team", json={"target": "docker:team/speech:2"})
    operator.call("PUT", "/images/old", json={"target": "python:/opt/old/bin/python"})
    for files in ({}, {"requirements": b"#nsml: team\nhumanize\n"}, {"requirements": b"#nsml: old\n"}):
        run(mina, **files)
    headers = {"Authorization": f"Bearer {worker.token}"}
    path = f"/agent/v1/nodes/{worker.name}/wanted"
    wanted = worker.client.get(path, headers=headers).json()["environments"]
    found = [(one["reference"], one["requirements"]) for one in wanted]
    assert found[0] == (None, [])
    assert ("team/speech:2", ["humanize"]) in found
    assert ("team/speech:2", []) in found
    assert all(one["interpreter"] is None for one in wanted)
    assert worker.client.get(path, headers={"Authorization": "Bearer x"}).status_code == 401


def test_what_is_being_prepared_is_told_until_the_program_starts(mina: Any, worker: Any) -> None:
    worker.hello(runner="docker")
    name = run(mina).json()["name"]
    attempt = worker.take_one()
    attempt.tell("preparing", {"text": "Pulling team/speech:2: 3 of 7 layers, 120 of 480 MB"})
    assert mina.session(name)["message"] == "Pulling team/speech:2: 3 of 7 layers, 120 of 480 MB"
    attempt.tell("started")
    assert mina.session(name)["message"] is None
