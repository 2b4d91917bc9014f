"""What names of images mean: an operator's table before the shipped one, exact names before patterns."""

import pytest

from nsml_server.domain.images import SHIPPED, Entry, Meaning, check_entry, merge, resolve, settle, stand_in
from nsml_server.errors import Invalid, UnknownImage

# Images that code of 2018 to 2022 names, and the runtime that stands for each.
OF_THEIR_TIME = {
    "nsml/default_ml:latest": "default",
    "nsml/default_ml:cuda9": "default",
    "nsml/default_ml:cuda9_torch1.0": "torch1.1",
    "nsml/default_ml:tf-1.4.1": "tf1.5",
    "nsml/default_ml:tf-1.11": "tf1",
    "nsml/ml:cuda9.0-cudnn7-tf-1.11torch0.4keras2.2": "keras2",
    "nsml/ml:cuda9.0-cudnn7-tf-1.11torch1.0keras2.2": "keras2",
    "nsml/ml:cuda10.0-cudnn7-tf-1.15pytorch1.3keras2.3": "keras2",
    "nsml/pytorch:0.3.0-cuda8cudnn6-konlpy0.4-py3.6": "torch1.1",
    "nsml/tensorflow:1.4-py3": "tf1.5",
    "nsml/tensorflow:1.13-py3": "tf1",
    "floydhub/pytorch:0.3.0-gpu.cuda8cudnn6-py3.17": "torch1.1",
    "floydhub/pytorch:1.4.0-py3.54": "torch1",
    "nvcr.io/nvidia/pytorch:18.05-py3": "torch1.1",
    "nvcr.io/nvidia/pytorch:19.06-py3": "torch1.1",
    "nvcr.io/nvidia/pytorch:19.07-py3": "torch1",
    "nvcr.io/nvidia/pytorch:19.10-py3": "torch1",
    "nvcr.io/nvidia/pytorch:20.12-py3": "torch1",
    "nvcr.io/nvidia/pytorch:21.08-py3": "torch1",
    "nvcr.io/nvidia/pytorch:23.01-py3": "default",
    "nvcr.io/nvidia/tensorflow:19.05-py3": "tf1",
    "nvcr.io/nvidia/tensorflow:20.03-tf1-py3": "tf1",
    "nvcr.io/nvidia/tensorflow:20.03-tf2-py3": "default",
    "pytorch/pytorch:0.4_cuda9_cudnn7": "torch1.1",
    "pytorch/pytorch:1.0-cuda10.0-cudnn7-runtime": "torch1.1",
    "pytorch/pytorch:1.1.0-cuda10.0-cudnn7.5-runtime": "torch1.1",
    "pytorch/pytorch:1.2-cuda10.0-cudnn7-runtime": "torch1",
    "pytorch/pytorch:1.6.0-cuda10.1-cudnn7-runtime": "torch1",
    "pytorch/pytorch:1.10.0-cuda11.3-cudnn8-runtime": "torch1",
    "pytorch/pytorch:1.12.1-cuda11.3-cudnn8-runtime": "torch1",
    "pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime": "default",
    "tensorflow/tensorflow:0.12.1": "tf1.5",
    "tensorflow/tensorflow:1.1.0": "tf1.5",
    "tensorflow/tensorflow:1.5-gpu": "tf1.5",
    "tensorflow/tensorflow:1.5.1-gpu-py3": "tf1.5",
    "tensorflow/tensorflow:1.9.0-gpu-py3": "tf1",
    "tensorflow/tensorflow:1.10.0": "tf1",
    "tensorflow/tensorflow:1.15.0-gpu-py3": "tf1",
    "claf/claf:latest": "torch1",
    "becxer/nsml:6": "default",
    "ldoun8260/nsml:latest": "default",
    "mj1642/nipa:0.1": "default",
    "dacon/nia-tf:1.0": "tf1",
    "dacon/nia-pytorch:1.0": "torch1",
    "w4jinsuk/pytorch-audio:latest": "torch1",
    "registry.navercorp.com/nsml/airush2020:pytorch1.5": "torch1",
    "registry.navercorp.com/nsasr/cuda10.1-pytorch1.5": "torch1",
    "registry.navercorp.com/nsasr/speech": "default",
    "tf1": "tf1",
    "tf1.5": "tf1.5",
    "keras2": "keras2",
    "torch1": "torch1",
    "torch1.1": "torch1.1",
    "default": "default",
}
RUNTIMES = ("default", "tf1", "tf1.5", "keras2", "torch1", "torch1.1")


@pytest.mark.parametrize(("image", "runtime"), OF_THEIR_TIME.items())
def test_an_image_of_its_time_means_one_of_the_runtimes(image: str, runtime: str) -> None:
    meaning = resolve(merge([]), image)
    assert meaning.target == f"runtime:{runtime}"
    assert meaning.runtime == (None if runtime == "default" else runtime)


@pytest.mark.parametrize(("image", "runtime"), OF_THEIR_TIME.items())
def test_what_an_operator_says_of_a_runtime_counts_for_all_that_mean_it(image: str, runtime: str) -> None:
    table = merge(Entry(name, f"python:/opt/{name}/bin/python") for name in RUNTIMES)
    assert resolve(table, image).target == f"python:/opt/{runtime}/bin/python"


@pytest.mark.parametrize("image", OF_THEIR_TIME)
def test_where_no_machine_has_runtimes_every_one_of_them_runs_on_the_platforms_python_and_says_so(image: str) -> None:
    table = merge([])
    meaning = settle(table, resolve(table, image), {"default"})
    assert (meaning.target, meaning.interpreter, meaning.reference) == ("runtime:default", None, None)
    assert bool(meaning.notes) == (image != "default")


@pytest.mark.parametrize(("image", "runtime"), OF_THEIR_TIME.items())
def test_a_runtime_that_a_machine_has_is_taken(image: str, runtime: str) -> None:
    table = merge([])
    assert settle(table, resolve(table, image), set(RUNTIMES)) == resolve(table, image)


def test_the_nearest_runtime_stands_in_and_the_participant_is_told() -> None:
    table = merge([])
    meaning = settle(table, resolve(table, "nsml/default_ml:tf-1.4.1"), {"default", "tf1"})
    assert meaning.runtime == "tf1"
    assert "tf1.5 is on no machine here; tf1 stands for it" in meaning.notes
    own = merge([Entry("tf1", "python:/opt/tf1/bin/python", "ours")])
    meaning = settle(own, resolve(own, "nsml/default_ml:tf-1.4.1"), {"default"})
    assert meaning.interpreter == "/opt/tf1/bin/python"
    assert meaning.notes[-1] == "ours"
    assert settle(table, resolve(table, "keras2"), {"default", "tf1"}).runtime is None
    assert settle(table, resolve(table, "torch1.1"), {"default", "torch1"}).runtime == "torch1"
    assert settle(table, resolve(table, "torch1"), {"default", "torch1.1"}).runtime is None


def test_a_note_names_the_word_that_was_written() -> None:
    meaning = resolve(merge([]), "nsml/default_ml:tf-1.4.1")
    assert "nsml/default_ml:tf-1.4.1" in meaning.notes[0]
    assert "tf1" in meaning.notes[0]


def test_an_operators_entry_comes_before_a_shipped_one_and_a_name_before_a_pattern() -> None:
    own = [Entry("nsml/*", "python:/a"), Entry("nsml/def*", "python:/b"), Entry("nsml/default_ml:x", "docker:c:1")]
    assert resolve(merge(own), "nsml/other").interpreter == "/a"
    assert resolve(merge(own), "nsml/default_ml:tf-1.4.1").interpreter == "/b"
    assert resolve(merge(own), "nsml/default_ml:x") == Meaning("nsml/default_ml:x", "docker:c:1")
    assert resolve(merge(own), "nsml/default_ml:x").reference == "c:1"


def test_an_unknown_image_is_refused_with_the_names_near_it() -> None:
    with pytest.raises(UnknownImage) as refused:
        resolve(merge([Entry("team/speech:2", "docker:x")]), "team/speach:2")
    assert "'team/speach:2'" in refused.value.message or "team/speach:2" in refused.value.message
    assert "team/speech:2" in refused.value.message


@pytest.mark.parametrize(
    ("image", "runtime"),
    [
        ("somebody/speech:torch0.4.1", "torch1.1"),
        ("somebody/pytorch:1.0.1", "torch1.1"),
        ("somebody/PyTorch-1.1", "torch1.1"),
        ("somebody/cuda10.1-pytorch1.5", "torch1"),
        ("somebody/pytorch_1.10-cuda11", "torch1"),
        ("somebody/pytorch:2.3", "default"),
        ("somebody/pytorch", "default"),
        ("somebody/tf1.4", "tf1.5"),
        ("somebody/tensorflow:1.13.1-gpu", "tf1"),
        ("somebody/tensorflow:2.4", "default"),
        ("somebody/tf-1.11torch1.0keras2.2", "keras2"),
        ("nvcr.io/nvidia/1.", "default"),
        ("", "default"),
        ("\u202e" * 300, "default"),
    ],
)
def test_what_the_name_of_an_unknown_image_speaks_of_stands_in_for_it(image: str, runtime: str) -> None:
    meaning = stand_in(merge([]), image, "default")
    assert (meaning.image, meaning.target) == (image, f"runtime:{runtime}")
    assert meaning.notes[0].endswith(f"is no image that this platform knows; {runtime} stands for it")
    assert meaning.notes[0].isprintable()


def test_what_stands_in_is_what_the_operator_made_of_it_and_a_slip_is_told_what_is_near() -> None:
    own = merge([Entry("ours", "docker:ours:2", "our own"), Entry("torch1", "python:/opt/torch1/bin/python")])
    assert stand_in(own, "somebody/pytorch:1.6", "ours").interpreter == "/opt/torch1/bin/python"
    meaning = stand_in(own, "kreas2", "ours")
    assert meaning.reference == "ours:2"
    assert meaning.notes[0].endswith("ours stands for it. Near it are keras2")
    assert meaning.notes[1:] == ("our own",)


def test_aliases_that_go_round_in_a_circle_are_refused() -> None:
    with pytest.raises(Invalid, match="never ends"):
        resolve(merge([Entry("a", "alias:b"), Entry("b", "alias:a")]), "a")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("", "platform"),
        ("a b", "platform"),
        ("a\n", "platform"),
        ("x" * 256, "platform"),
        ("a", "python:relative/python"),
        ("a", "python:/opt/../etc"),
        ("a", "docker:"),
        ("a", "docker:-v /:/x"),
        ("a", "alias:nsml/*"),
        ("a", "ssh:host"),
        ("a", "platform:x"),
        ("a", "runtime:"),
        ("a", "runtime:../tf1"),
    ],
)
def test_an_entry_that_means_nothing_is_refused(name: str, target: str) -> None:
    with pytest.raises(Invalid):
        check_entry(name, target, "")


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_shipped_entry_is_one_that_an_operator_could_write(entry: Entry) -> None:
    assert check_entry(entry.name, entry.target, entry.note).name == entry.name
