"""What NSML offered in its first years and real programs still call: `copy`, `cache`, `Visdom`."""

from typing import Any

import pytest


def test_copy_puts_values_in_place_between_objects_of_one_type(make_box: Any) -> None:
    program = """
import nsml
class Model: pass
source, target, state = Model(), Model(), {'b': 1}
source.depth, target.name = 3, 'kept'
kept = state
nsml.copy(source, target)
nsml.copy({'a': 2}, state)
assert (target.depth, target.name, kept) == (3, 'kept', {'a': 2, 'b': 1})
for pair in (source, state), ([1], [2]), (1, 2):
    try: nsml.copy(*pair)
    except TypeError as error: print(error)
"""
    expected = [
        "nsml.copy copies between two objects of one type; it was given a Model and a dict.",
        "nsml.copy cannot copy a list; it copies dicts and the attributes of objects.",
        "nsml.copy cannot copy a int; it copies dicts and the attributes of objects.",
    ]
    for off_platform in (False, True):
        assert make_box(off_platform=off_platform).run(program).stdout.splitlines() == expected


CACHE = """
import nsml
def preprocess(output_path, data):
    print('made', output_path)
    for path in [output_path] if isinstance(output_path, str) else output_path:
        open(path, 'w').write(data)
"""


def test_cache_makes_its_files_once_in_a_session(make_box: Any) -> None:
    program = CACHE + "for _ in range(2): nsml.cache(preprocess, output_path=['./a', './b'], data='x')"
    for off_platform in (False, True):
        assert make_box(off_platform=off_platform).run(program).stdout == "made ['./a', './b']\n"


def test_cache_takes_one_path_too_and_has_a_name_of_its_own(box: Any) -> None:
    done = box.run(
        CACHE + "nsml.cache(preprocess, output_path='one.pickle', data='x')\nnsml.cache(preprocess, data='x')"
    )
    assert done.stdout == "made one.pickle\nmade ['./processed']\n"


def test_a_stale_file_uploaded_with_the_code_is_made_anew(make_box: Any) -> None:
    laptop = make_box(off_platform=True)
    program = CACHE + "nsml.cache(preprocess, output_path='rows', data='x')"
    assert laptop.run(program).stdout == "made rows\n"
    session = make_box()
    assert session.run(program).stdout == "made rows\n", "rows and its mark came along"
    assert session.run(program).stdout == ""


def test_cache_finds_the_output_path_wherever_the_function_takes_it(box: Any) -> None:
    done = box.run(
        """
        import nsml
        def train_data_loader(data_path, img_size, output_path):
            print(data_path, img_size, output_path)
        def other(paths, size):
            print(size, paths)
        nsml.cache(train_data_loader, data_path='/data', img_size=(2, 2), output_path=['./img.pkl'])
        nsml.cache(preprocess_fn=other, size=3)
        """
    )
    assert done.stdout == "/data (2, 2) ['./img.pkl']\n3 ['./processed']\n"


@pytest.mark.parametrize("broken", ["raise OSError('disk')", "pass"])
def test_a_cache_that_was_not_made_is_made_next_time(box: Any, broken: str) -> None:
    box.run(f"import nsml\ndef make(path): {broken}\nnsml.cache(make, output_path='rows')", fails="raise" in broken)
    assert box.run(CACHE + "nsml.cache(preprocess, output_path='rows', data='x')").stdout == "made rows\n"


VISDOM = """
# A visdom module as programs have it: every plot ends in `_send`, which posts to a server.
import json

class Visdom:
    def __init__(self, server='http://localhost', port=8097, env='main', use_incoming_socket=True):
        if use_incoming_socket:
            raise ConnectionError(server)
        self.env = env

    def _send(self, msg, endpoint='events', quiet=False):
        raise ConnectionError(endpoint)

    def line(self, Y, X, win=None, opts=None, name=None, update=None):
        data = [{'x': list(X), 'y': list(Y), 'name': name, 'type': 'scatter'}]
        message = {'data': data, 'win': win, 'eid': self.env, 'opts': opts or {}}
        return self._send(message, endpoint='update' if update else 'events')

    def image(self, picture, win=None):
        return self._send({'data': [{'content': {'src': 'data:image'}, 'type': 'image'}], 'win': win, 'eid': self.env})

    def win_exists(self, win):
        return json.loads(self._send({'win': win, 'eid': self.env}, endpoint='win_exists', quiet=True))

    def check_connection(self):
        return self.win_exists('') is not None
"""


def test_lines_sent_to_visdom_become_curves_of_the_session(box: Any) -> None:
    (box.app / "visdom.py").write_text(VISDOM)
    done = box.run(
        """
        import nsml, visdom
        vis = nsml.Visdom(visdom=visdom, use_incoming_socket=True)
        assert isinstance(vis, visdom.Visdom) and vis.check_connection()
        win = vis.line(Y=[0.5], X=[1], opts={'title': 'loss'}, name='train')
        assert vis.win_exists(win) and not vis.win_exists('other')
        assert vis.line(Y=[0.4], X=[2], win=win, name='test', update='append') == win
        vis.line(Y=[0.1, float('nan')], X=[0, 1], win='plain')
        vis.image([[0]])
        vis.image([[0]])
        """
    )
    points = [(line["step"], line["values"]) for line in box.read_journal("report")]
    assert points == [(1, {"loss/train": 0.5}), (2, {"loss/test": 0.4}), (0, {"plain": 0.1}), (1, {"plain": "NaN"})]
    assert done.stderr.count("of nsml.Visdom only lines are kept") == 1


def test_off_the_platform_visdom_is_the_real_one(make_box: Any) -> None:
    box = make_box(off_platform=True)
    (box.app / "visdom.py").write_text(VISDOM)
    box.run("import nsml, visdom\nassert type(nsml.Visdom(use_incoming_socket=False)) is visdom.Visdom")
    assert "ConnectionError" in box.run("import nsml\nnsml.Visdom()", fails=True).stderr
