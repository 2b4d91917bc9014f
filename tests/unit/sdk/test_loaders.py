"""Every body of `feed_infer` and `test_data_loader` seen in competitions of 2018–2022, from rows to the prediction file."""

from typing import Any

import pytest

#: organiser's data_loader.py, the participant's infer, the prediction file
LOADERS = {
    "rows in one list, (probability, result) pairs": (
        "def test_data_loader(root_path): return open(root_path + '/test/test_data').read().split()",
        "def infer(rows): return [(0.9, row + '!') for row in rows]",
        "a!\nb!\n",
    ),
    "lists as results, parsed again by the evaluation": (
        "def test_data_loader(root_path): return [['나', '는'], ['너']]",
        "def infer(sentences, **kwargs): return [(0.0, ['-'] * len(words)) for words in sentences]",
        "['-', '-']\n['-']\n",
    ),
    "queries and references, each result a ranking": (
        "def test_data_loader(root_path): return ['query_0'], ['refer_12', 'refer_3']",
        "def infer(queries, db): return [(0, (query, list(db))) for query in queries]",
        "('query_0', ['refer_12', 'refer_3'])\n",
    ),
    "the folder, one result a line": (
        """
import os
from nsml import DATASET_PATH
def feed_infer(output_file, infer_func):
    result = infer_func(os.path.join(DATASET_PATH, 'test'))
    with open(output_file, 'w') as file:
        file.write('\\n'.join(str(pred[1]) for pred in result))
    if os.stat(output_file).st_size == 0:
        raise AssertionError('output result of inference is nothing')
""",
        "import os\ndef infer(root_path, top_k=1): return [(0.1, name) for name in sorted(os.listdir(root_path))]",
        "test_data",
    ),
    "two lists, written as id and class": (
        """
from nsml.constants import DATASET_PATH
def feed_infer(output_file, infer_func):
    names, classes = infer_func(DATASET_PATH + '/test')
    with open(output_file, 'w') as file:
        for pair in zip(names, classes):
            file.write('%s %d\\n' % pair)
""",
        "def infer(data_path, **kwargs): return ['x', 'y'], [1, 2]",
        "x 1\ny 2\n",
    ),
    "its own test_data_loader, one text a row": (
        """
from nsml import DATASET_PATH
def test_data_loader(root_path): return ['row 1', 'row 2']
def feed_infer(output_file, infer_func):
    with open(output_file, 'w') as file:
        for text in infer_func(test_data_loader(DATASET_PATH)):
            file.write(text + '\\n')
""",
        "def infer(test_data, **kwargs): return [row.upper() for row in test_data]",
        "ROW 1\nROW 2\n",
    ),
    "images read by the loader, three columns": (
        """
def feed_infer(output_file, infer_func):
    files, images = ['1.png', '2.png'], [[0], [1]]
    open(output_file, 'w').write('\\n'.join('%d,%s,%d' % (0, f, p) for f, p in zip(files, infer_func(images))))
""",
        "def infer(data): return [pixels[0] for pixels in data]",
        "0,1.png,0\n0,2.png,1",
    ),
    "one call a file": (
        """
def feed_infer(output_file, infer_func):
    with open(output_file, 'w') as file:
        for path in '1.wav', '2.wav':
            file.write('%s,%s\\n' % (path, infer_func(path)))
""",
        "def infer(wav_path): return wav_path[0]",
        "1.wav,1\n2.wav,2\n",
    ),
    "a data frame": (
        "def feed_infer(output_file, infer_func): infer_func('test').to_csv(output_file)",
        "class Frame:\n    def to_csv(self, path): open(path, 'w').write('a,b\\n')\n"
        "def infer(test_dir, **kwargs): return Frame()",
        "a,b\n",
    ),
    "a keyword, results joined by blanks": (
        """
def feed_infer(output_file, infer_func):
    open(output_file, 'w').write(' '.join(infer_func('root', phase='test')))
""",
        "def infer(root, phase): return [root, phase]",
        "root test",
    ),
    "ready-made lines, and a look at the file written": (
        """
def check(path):
    if any(len(line.split(',')) != 2 for line in open(path)):
        raise ValueError('structure')
def feed_infer(output_file, infer_func):
    with open(output_file, 'w') as file:
        file.writelines(line + '\\n' for line in infer_func('root'))
    check(output_file)
""",
        "def infer(root_path): return ['1.jpg,0', '2.jpg,1']",
        "1.jpg,0\n2.jpg,1\n",
    ),
    "a dict as JSON": (
        """
import json
def feed_infer(output_file, infer_func):
    json.dump(infer_func(['1.jpg']), open(output_file, 'w'))
""",
        "def infer(test_img_path_list): return {path: 0.5 for path in test_img_path_list}",
        '{"1.jpg": 0.5}',
    ),
    "a list of dicts": (
        """
def feed_infer(output_file, infer_func):
    with open(output_file, 'w', encoding='utf-8') as file:
        for row in infer_func('root'):
            file.write('%s\\t%s\\n' % (row['path'], row['text']))
""",
        "def infer(path, **kwargs): return [{'path': path, 'text': '안녕'}]",
        "root\t안녕\n",
    ),
}


@pytest.fixture
def submit(box: Any) -> Any:
    """A box for predict with a checkpoint, and two rows of hidden data."""
    box.run("import nsml\nnsml.save('best', save_fn=lambda path: open(path + '/m', 'w').write('best'))")
    box.prepare_submit("best")
    (box.root / "data/kin/test").mkdir()
    (box.root / "data/kin/test/test_data").write_text("a\nb\n")
    return box


@pytest.mark.parametrize("body", LOADERS)
def test_each_body_of_a_data_loader_drives_infer(submit: Any, body: str) -> None:
    loader, infer, prediction = LOADERS[body]
    submit.write_loader(loader)
    submit.run(f"import nsml\n{infer}\nnsml.bind(len, len, infer)\nnsml.paused(scope=locals())")
    assert submit.prediction.read_text(encoding="utf-8") == prediction


def test_a_loader_that_asks_row_by_row_may_write_a_binary_file(submit: Any) -> None:
    submit.write_loader(
        """
        import numpy
        def test_data_loader(root): raise ValueError('Do not call this function!')
        def feed_infer(output_file, infer_func):
            numpy.save(output_file, numpy.array([infer_func(x) for x in [1, 2, 3]]))
        """
    )
    submit.run("import nsml\nnsml.bind(len, len, lambda x: x * 2)\nnsml.paused()")
    assert submit.prediction.read_bytes()[:6] == b"\x93NUMPY"


def test_the_loaders_own_assertion_of_an_empty_file_is_told(submit: Any) -> None:
    submit.write_loader(LOADERS["the folder, one result a line"][0])
    submit.run("import nsml\nnsml.bind(len, len, lambda root: [])\nnsml.paused()", fails=True)
    (error,) = submit.read_journal("error")
    assert (error["phase"], error["type"], error["message"]) == (
        "write",
        "AssertionError",
        "output result of inference is nothing",
    )
