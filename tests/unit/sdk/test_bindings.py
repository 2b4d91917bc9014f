"""`nsml.bind`, `nsml.infer` and the default savers: each callback gets exactly what it accepts."""

from typing import Any

import pytest

SIGNATURES = [
    "filename",
    "filename, *args",
    "dir_name, **kwargs",
    "path, *args, **kwargs",
    "path, real=None",
    "dir_name, *parser",
    "path, *, real",
]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_save_and_load_convention_is_called_as_it_wants(box: Any, signature: str) -> None:
    keywords = "kwargs['real']" if "kwargs" in signature else "real" if "real" in signature else "True"
    box.run(
        f"""
import nsml
seen = []
def callback({signature}):
    assert {keywords} is True
    assert isinstance({signature.split(",")[0]}, str)
    {"assert not " + signature.split("*")[1].split(",")[0] if "*args" in signature or "*parser" in signature else "pass"}
    seen.append(1)
nsml.bind(save=callback, load=callback, real=True)
nsml.save(0)
nsml.load(0)
assert len(seen) == 2
"""
    )


@pytest.mark.parametrize(
    ("signature", "call", "answer"),
    [
        ("data", "nsml.infer([1])", "[1]"),
        ("data, **kwargs", "nsml.infer([1], top_k=3)", "[1]"),
        ("data, top_k=100", "nsml.infer([1], top_k=3)", "[1]"),
        ("data, top_k=100", "nsml.infer([1], other=3)", "[1]"),
    ],
)
def test_infer_answers_on_and_off_the_platform(make_box: Any, signature: str, call: str, answer: str) -> None:
    program = f"import nsml\ndef infer({signature}): return data\nnsml.bind(infer=infer)\nprint({call})"
    for off_platform in (True, False):
        assert make_box(off_platform=off_platform).run(program).stdout == answer + "\n"


def test_binding_again_replaces_only_what_is_named(box: Any) -> None:
    box.run(
        """
        import nsml
        calls = []
        nsml.bind(lambda path: calls.append('first'), lambda path: calls.append('load'), lambda data: data, len, len)
        nsml.bind(save=lambda path: calls.append('second'), use_nsml_legacy=False)
        nsml.save(1)
        nsml.load(1)
        assert (calls, nsml.infer(5)) == (['second', 'load'], 5), calls
        """
    )
    assert [line["infer"] for line in box.read_journal("bound")] == [True, True]


def test_an_unbound_callback_is_named_with_the_next_step(box: Any) -> None:
    done = box.run(
        """
        import nsml
        for call in nsml.infer, nsml.save:
            try:
                call(1)
            except RuntimeError as error:
                print(error)
        """
    )
    assert done.stdout.splitlines() == [
        "Nothing is bound that predicts; call nsml.bind(infer=your_function) first.",
        "nsml.save has nothing to save; call nsml.bind(save=your_function) before it.",
    ]


def test_bound_objects_are_saved_and_put_back_in_place(box: Any) -> None:
    box.run(
        """
        import nsml, numpy
        class Model: pass
        model, words, weights, order = Model(), {'a': 1}, numpy.arange(3.0), [3, 4]
        model.depth = 2
        nsml.bind(model=model, words=words, weights=weights, order=order)
        nsml.save('all')
        model.depth, weights[:], order[:] = 9, 0, []
        model.junk = words['junk'] = 1
        nsml.load('all')
        assert (vars(model), words, list(weights), order) == ({'depth': 2}, {'a': 1}, [0, 1, 2], [3, 4])
        """
    )
    assert [line["save"] for line in box.read_journal("bound")] == [True]


def test_an_object_that_cannot_be_changed_in_place_is_named(box: Any) -> None:
    done = box.run("import nsml\nnsml.bind(step=3)\nnsml.save(1)\nnsml.load(1)", fails=True)
    assert "cannot put 'step' back: a int cannot be changed in place" in done.stderr


def test_objects_bound_beside_a_save_function_are_its_arguments_and_no_default_takes_over(box: Any) -> None:
    done = box.run(
        """
        import nsml
        nsml.bind(save=lambda path, model: open(path + '/m', 'w').write(model), model='weights')
        nsml.save('best')
        nsml.load('best')
        """
    )
    assert "nothing is bound that loads a model" in done.stderr
    assert (box.list_checkpoints()["best"] / "model/m").read_text() == "weights"
