"""The calls of NSML: `bind`, `save`, `load`, `infer`, `paused`, `report`, and of its first years `copy`, `cache`, `Visdom`."""

import os

from nsml import _failures
from nsml._callbacks import call, convert_input
from nsml._session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nsml._callbacks import Callback

_session = Session(os.environ)
if _session.is_on_platform:
    # A program that never calls us again still has its last error explained.
    _failures.watch(_session.journal)


def bind(
    save: "Optional[Callback]" = None,
    load: "Optional[Callback]" = None,
    infer: "Optional[Callback]" = None,
    *extra: "Any",
    **kwargs: "Any",
) -> None:
    """Register how a model is saved and loaded and how it answers; to be called before `paused`.

    Args:
        save: `save(path)`: writes the model, and all that belongs to it, into or at `path`.
        load: `load(path)`: reads it back.
        infer: `infer(data)`: for a list of rows a list of (probability, result), one for each row.
        extra: the two callbacks more of 2017, evaluate and decode; accepted and kept.
        kwargs: forwarded to `save` and `load` as far as they accept them; without a `save` and a `load` they are the
            objects that the default savers write (torch, Keras, TensorFlow sessions; anything else is pickled).
    """
    _session.binding.update(save, load, infer, extra, kwargs)
    if _session.is_on_platform:
        _session.tell_bound()


def save(
    iteration: "Any" = None, save_fn: "Optional[Callback]" = None, checkpoint: "Any" = None, **kwargs: "Any"
) -> None:
    """Save a checkpoint under a name: `nsml.save(epoch)`, `nsml.save('best')`, `nsml.save(checkpoint='best')`.

    Everything the callback writes, also beside the path, is kept together. The same name again replaces it; without a
    name it is the time. Whatever the callback raises comes through, and then nothing was saved.

    Raises:
        nsml.errors.InvalidName: a ValueError; see the message.
        nsml.errors.NotBound: nothing was bound that saves.
    """
    if _session.is_on_platform:
        name = iteration if checkpoint is None else checkpoint
        _session.save(name, save_fn, dict(_session.binding.objects, **kwargs))


def load(
    iteration: "Any" = None,
    load_fn: "Optional[Callback]" = None,
    session: "Optional[str]" = None,
    checkpoint: "Any" = None,
    **kwargs: "Any",
) -> None:
    """Load a checkpoint by its name: of this session, or of another: `nsml.load('best', session='alice/kin/12')`.

    Raises:
        KeyError: `No model: USER/DATASET/NUMBER/nsml_model/NAME`.
    """
    if _session.is_on_platform:
        name = iteration if checkpoint is None else checkpoint
        _session.load(name, load_fn, session, dict(_session.binding.objects, **kwargs))


def infer(data: "Any", **kwargs: "Any") -> "Any":
    """What the bound `infer` returns for `data`; works everywhere.

    Args:
        data: one argument, as it is; with `app_type` as NSML's web apps sent it: "list_string" makes it
            {'data': [[data]]}, and None turns a data URL into [its bytes].
        kwargs: forwarded as far as `infer` accepts them.

    Raises:
        nsml.errors.NotBound: no infer was bound.
    """
    if "app_type" in kwargs:
        data = convert_input(data, kwargs.pop("app_type"))
    return call(_session.binding.predictor(), (data,), kwargs)


def paused(scope: "Any" = None) -> None:
    """Hand the program over to the platform: `if args.pause: nsml.paused(scope=locals())`.

    In a submit it loads the checkpoint, lets the dataset's data_loader ask the bound `infer`, and does not return. In a
    fork it loads the checkpoint and returns. In a session of `nsml infer` it loads and then answers for ever. In a training
    it returns at once. `scope` is what `nsml exec` evaluates in.
    """
    if _session.is_on_platform:
        _session.pause(scope)


def report(summary: "Any" = False, scope: "Any" = None, **values: "Any") -> None:
    """Record one point of named values: `nsml.report(step=epoch, train__loss=0.3)`.

    Args:
        summary: True shows the values beside the session in `ps`. A dict given here is taken as the values.
        scope: `locals()`: the variables that `nsml exec` and the console of the page evaluate in.
        values: numbers or texts; `step` is the place on the x axis. `__` in a name becomes `/`. `loss@std` is an interval
            around `loss`, `loss@vector:a` one line of several in a plot, `loss@stack:a` one of several stacked areas.

    Raises:
        TypeError: a value that JSON cannot hold, such as a tensor.
    """
    if _session.is_on_platform:
        if isinstance(summary, dict):
            summary, values = False, dict(summary, **values)
        _session.reports.write(values, bool(summary))
        if scope is not None:
            _session.open(scope)


def copy(source: "Any", target: "Any") -> None:
    """Put the values of `source` into `target` in place: a dict's items or an object's attributes; works everywhere.

    Raises:
        TypeError: they are of different types, or of one that has neither (a list).
    """
    from nsml import _copies

    _copies.copy(source, target)


def cache(preprocess_fn: "Callback", output_path: "Any" = None, **kwargs: "Any") -> None:
    """Call `preprocess_fn(output_path=…, **kwargs)` unless it made these files before in this session; works everywhere.

    Args:
        preprocess_fn: writes the files of its argument `output_path`, or of its first one if it has none so called.
        output_path: one path or a list of them, ['./processed'] unless given.
        kwargs: handed on.
    """
    from nsml import _copies

    given = ["./processed"] if output_path is None else output_path
    outputs = [os.fspath(path) for path in (given if isinstance(given, (list, tuple)) else [given])]
    _copies.cache(preprocess_fn, outputs, given, kwargs, _session.name)


def Visdom(visdom: "Any" = None, **kwargs: "Any") -> "Any":  # noqa: N802 - the name of 2018
    """An instance of `visdom.Visdom`; on the platform it sends nothing, and its lines become curves of the session.

    Args:
        visdom: the module; imported when it is not given.
        kwargs: of its constructor.
    """
    if visdom is None:
        import importlib

        visdom = importlib.import_module("visdom")
    if not _session.is_on_platform:
        return visdom.Visdom(**kwargs)
    from nsml import _visdom

    return _visdom.make(visdom, report, _session.journal.note_once, kwargs)
