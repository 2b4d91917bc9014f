"""Every shape of callback seen in programs of 2017–2022, on the Pythons of those years: called with exactly what it accepts.

One training and one submit for each interpreter go through all shapes; each shape is a test of its own.
"""

import json
from typing import Any

import pytest

SAVE = [
    "save(filename, *args)",
    "save(dir_name, *args)",
    "save(dir_name)",
    "save(dir_name, *args, **kwargs)",
    "save(path, *args, **kwargs)",
    "save(path, **kwargs)",
    "save(dir_path, **kwargs)",
    "save(dirname, *args)",
    "save(save_folder, **kwargs)",
    "save(dir_name, *parser)",
    "save(filename, **kwargs)",
    "save(file_name, *args)",
]
LOAD = [
    *(signature.replace("save(", "load(") for signature in SAVE),
    "load(file_path)",
    "load(dir_path)",
    "load(dirname, **kwargs)",
]
# What the organiser's feed_infer calls it with: (positional, keywords).
ONE: tuple[list[Any], dict[str, Any]] = (["data"], {})
TWO: tuple[list[Any], dict[str, Any]] = (["queries", "references"], {})
INFER = {
    "infer(raw_data, **kwargs)": ONE,
    "infer(input)": ONE,
    "infer(input, top_k=100)": ONE,
    "infer(input, **kwargs)": ONE,
    "infer(sentences, **kwargs)": ONE,
    "infer(queries, db)": TWO,
    "infer(queries, _)": TWO,
    "infer(root_path)": ONE,
    "infer(root_path, top_k=1)": ONE,
    "infer(path, **kwargs)": ONE,
    "infer(data_path, **kwargs)": ONE,
    "infer(test_dir, **kwargs)": ONE,
    "infer(wav_path)": ONE,
    "infer(data)": ONE,
    "infer(test_data, **kwargs)": ONE,
    "infer(test_img_path_list)": ONE,
    "infer(test_path, **kwparser)": ONE,
    "infer(root, phase)": (["root"], {"phase": "test"}),
    "infer(image_path)": ONE,
}
BIND = [
    "bind(save, load, infer)",
    "bind(save, load, infer, evaluate, decode)",
    "bind(save=save, load=load, infer=infer)",
    "bind(save=save, load=load)",
    "bind(save=save, load=load, infer=infer, use_nsml_legacy=False)",
    "bind(infer=infer, load=load, save=save, real=True)",
]
VERSIONS = ("3.6", "3.8", "3.11", "3.13")

MAKE = """
import json, os, sys
import nsml

def make(signature):
    space = {}
    exec('def %s: return note(locals())' % signature, {'note': note}, space)
    return space[signature.split('(')[0]]

def note(received):
    is_folder = lambda thing: isinstance(thing, str) and os.path.isdir(thing)
    seen.append({name: 'a folder' if is_folder(thing) else thing for name, thing in received.items()})
    return seen[-1]

seen, results = [], {}
"""
TRAIN = (
    MAKE
    + """
for signature in json.loads(sys.stdin.read()):
    callback = make(signature)
    if signature.startswith('save'):
        nsml.bind(save=callback, load=callback, real=True)
        nsml.save('row', extra=1)
    else:
        nsml.bind(save=len, load=callback, real=True)
        nsml.load('row', map_location='cpu')
    results[signature] = seen[-1]
print(json.dumps(results))
"""
)
BOUND = """
import json, sys
import nsml
from nsml.client import _session
calls = []
def save(path): calls.append('save')
def load(path): calls.append('load')
def infer(data): return 'infer ' + data
def evaluate(*_): pass
def decode(*_): pass
for form in json.loads(sys.stdin.read()):
    _session.binding.__init__()
    eval('nsml.' + form)
    if 'infer' not in form:
        nsml.bind(infer=infer)
    nsml.save('row')
    nsml.load('row')
    calls.append(nsml.infer('x'))
print(json.dumps(calls))
"""
LOADER = (
    MAKE
    + """
def feed_infer(output_file, infer_func):
    for signature, (arguments, keywords) in json.loads(os.environ['NSML_NFS_OUTPUT']).items():
        nsml.bind(infer=make(signature))
        answer = infer_func(*arguments, **keywords)
        assert answer is seen[-1], 'what infer returns reaches the loader as it is'
        results[signature] = answer
    with open(output_file, 'w') as file:
        json.dump(results, file)
"""
)


@pytest.fixture(scope="module", params=VERSIONS)
def answers(request: Any, tmp_path_factory: Any, make_fake_box: Any, find_python: Any) -> dict[str, Any]:
    """{signature: {parameter: what it received}}, and under "bind" the calls of every form of bind."""
    box = make_fake_box(tmp_path_factory.mktemp("box"), python=find_python(request.param))
    answers: dict[str, Any] = json.loads(box.run(TRAIN, stdin=json.dumps([*SAVE, *LOAD])).stdout)
    answers["bind"] = json.loads(box.run(BOUND, stdin=json.dumps(BIND)).stdout)
    box.prepare_submit("row")
    box.write_loader(LOADER)
    box.variables = {"NSML_NFS_OUTPUT": json.dumps(INFER)}
    box.run("import nsml\nnsml.bind(len, len, len)\nnsml.paused(scope=locals())")
    answers.update(json.loads(box.prediction.read_text()))
    return answers


def list_extras(signature: str, keywords: dict[str, Any]) -> dict[str, Any]:
    """What the parameters behind the first must have received."""
    extras: dict[str, Any] = {}
    for parameter in signature.rstrip(")").split(", ")[1:]:
        if parameter.startswith("**"):
            extras[parameter[2:]] = keywords
        elif parameter.startswith("*"):
            extras[parameter[1:]] = []
    return extras


@pytest.mark.parametrize("signature", SAVE)
def test_a_save_is_called_with_one_path_and_what_was_bound(answers: Any, signature: str) -> None:
    first = signature.split("(")[1].split(",")[0].rstrip(")")
    assert answers[signature] == {first: "a folder", **list_extras(signature, {"real": True, "extra": 1})}


@pytest.mark.parametrize("signature", LOAD)
def test_a_load_is_called_with_one_path_and_what_was_bound(answers: Any, signature: str) -> None:
    first = signature.split("(")[1].split(",")[0].rstrip(")")
    assert answers[signature] == {first: "a folder", **list_extras(signature, {"real": True, "map_location": "cpu"})}


@pytest.mark.parametrize("signature", INFER)
def test_an_infer_is_called_with_what_the_loader_gives(answers: Any, signature: str) -> None:
    arguments, keywords = INFER[signature]
    names = [part.strip().split("=") for part in signature.rstrip(")").split("(")[1].split(",")]
    expected = dict(zip((name for name, *_ in names), arguments, strict=False))
    expected.update({name: int(default[0]) for name, *default in names if default})
    assert answers[signature] == {**expected, **keywords, **list_extras(signature, {})}


@pytest.mark.parametrize("row", BIND)
def test_each_form_of_bind_registers_its_callbacks(answers: Any, row: str) -> None:
    start = 3 * BIND.index(row)
    assert answers["bind"][start : start + 3] == ["save", "load", "infer x"]
