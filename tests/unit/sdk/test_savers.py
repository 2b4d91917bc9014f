"""Programs that bind objects and no functions: each framework's state is saved its own way, and put back in place."""

from typing import Any

import pytest

TORCH = """
import nsml, torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=lambda epoch: 1)
tensor = torch.ones(3)
nsml.bind(model=model, optimizer=optimizer, scheduler=scheduler, tensor=tensor)
nsml.save('t')
before = model.weight.detach().clone()
torch.nn.init.zeros_(model.weight)
tensor.zero_()
nsml.load('t')
assert torch.equal(model.weight, before) and tensor.sum() == 3
"""

KERAS_3 = """
import nsml, keras
net = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
nsml.bind(net=net)
nsml.save('k')
before = net.get_weights()
net.set_weights([w * 0 + 7 for w in before])
nsml.load('k')
assert all((a == b).all() for a, b in zip(net.get_weights(), before))
"""

TENSORFLOW_2 = """
import nsml, tensorflow as tf
class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable([1.0, 2.0])
net, step, checkpoint = Net(), tf.Variable(5), tf.train.Checkpoint(v=tf.Variable(3.0))
nsml.bind(net=net, step=step, checkpoint=checkpoint)
nsml.save('two')
net.w.assign([0.0, 0.0])
step.assign(0)
checkpoint.v.assign(0.0)
nsml.load('two')
assert (list(net.w.numpy()), int(step), float(checkpoint.v)) == ([1.0, 2.0], 5, 3.0)
"""

TENSORFLOW_1 = """
import nsml
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
weights = tf.get_variable('weights', initializer=tf.constant([1.0, 2.0]))
sess = tf.Session()
sess.run(tf.global_variables_initializer())
zero = weights.assign([0.0, 0.0])
saver = tf.train.Saver()
nsml.bind(sess=sess, saver=saver, vocabulary={'a': 1})
nsml.save(0)
nodes = len(sess.graph.get_operations())
nsml.save(1)
assert len(sess.graph.get_operations()) == nodes, 'a save must not make the graph grow'
sess.run(zero)
nsml.load(1)
assert list(sess.run(weights)) == [1.0, 2.0]
"""

SCIKIT_LEARN = """
import nsml
from sklearn.linear_model import LogisticRegression
from sklearn.ensemble import RandomForestClassifier
rows, labels = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
model, forest = LogisticRegression().fit(rows, labels), RandomForestClassifier(3, random_state=1).fit(rows, labels)
nsml.bind(model=model, forest=forest)
nsml.save('best')
model.fit(rows, [1, 1, 0, 0])
forest.fit(rows, [1, 1, 0, 0])
nsml.load('best')
assert list(model.predict(rows)) == list(forest.predict([[0.0], [0.0], [3.0], [3.0]])) == labels
"""

PYTHON = """
import collections, nsml
class Handle:
    def __init__(self): self.owner, self.data = self, 1
    def __getstate__(self): return {'data': self.data}
    def __setstate__(self, state): self.owner, self.data = self, state['data']
counter, handle, words = collections.Counter('aab'), Handle(), collections.OrderedDict(a=1)
nsml.bind(counter=counter, handle=handle, words=words)
nsml.save('best')
counter.clear(); words['b'] = 2; handle.data = 9
nsml.load('best')
assert (counter, words, handle.data) == ({'a': 2, 'b': 1}, {'a': 1}, 1)
assert handle.owner is handle, 'what belongs to the loaded twin must not be shared'
"""


@pytest.mark.parametrize("program", [SCIKIT_LEARN, PYTHON], ids=["scikit-learn", "python"])
def test_bound_objects_come_back_in_place(box: Any, program: str) -> None:
    box.run(program)


@pytest.mark.frameworks
@pytest.mark.parametrize(
    "program", [TORCH, KERAS_3, TENSORFLOW_2, TENSORFLOW_1], ids=["torch", "keras 3", "tensorflow 2", "tensorflow 1"]
)
def test_each_framework_saves_its_own_way(box: Any, program: str) -> None:
    box.run(program)


KERAS_2 = """
import sys, types, nsml
sys.modules['keras'] = types.ModuleType('keras')
class Model:
    weights = [1, 2]
    def save_weights(self, path): {save}
    def load_weights(self, path): self.weights = eval(open(path).read())
    def get_weights(self): return self.weights
    def set_weights(self, weights): self.weights = weights
model = Model()
nsml.bind(model=model)
nsml.save('k')
model.weights = []
nsml.load('k')
assert model.weights == [1, 2]
"""


@pytest.mark.parametrize(
    ("save", "file"),
    [
        ("open(path, 'w').write(repr(self.weights))", "model.weights.h5"),
        ("raise NotImplementedError('a subclassed model has no HDF5')", "model.pickle"),
        ("raise ImportError('`save_weights` requires h5py.')", "model.pickle"),
    ],
    ids=["weights as HDF5", "a subclassed model", "no h5py"],
)
def test_a_model_of_keras_2_is_saved_by_its_weights(box: Any, save: str, file: str) -> None:
    box.run(KERAS_2.format(save=save))
    assert [path.name for path in (box.list_checkpoints()["k"] / "model").iterdir()] == [file]


LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset
import nsml

class Rows(Dataset):
    def __len__(self): return 40
    def __getitem__(self, row):
        nsml.report(step=row, who='worker', text='x' * 3000)
        return row

def train(rank):
    nsml.bind(save=lambda path: open(path + '/rank', 'w').write(str(rank)))
    nsml.report(step=rank, who='rank')
    nsml.save('rank%d' % rank)

if __name__ == '__main__':
    assert sum(len(batch) for batch in DataLoader(Rows(), batch_size=4, num_workers=2)) == 40
    torch.multiprocessing.spawn(train, nprocs=2)
"""


@pytest.mark.frameworks
def test_reports_and_saves_of_torchs_own_processes_arrive_whole(box: Any) -> None:
    box.run(LOADER)
    seen = [(line["values"]["who"], line["step"]) for line in box.read_journal("report")]
    assert sorted(seen) == [("rank", 0), ("rank", 1)] + [("worker", row) for row in range(40)]
    assert {name: (path / "model/rank").read_text() for name, path in box.list_checkpoints().items()} == {
        "rank0": "0",
        "rank1": "1",
    }
