"""`nsml.Visdom`: the curves of the real Visdom class, recorded as the session's own; there is no Visdom server here."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, Tuple

    Report = Callable[..., None]

_MAX_POINTS = 1000  # of one plot call; more belong into a picture


def make(module: "Any", report: "Report", note: "Callable[[str, str], None]", keywords: "Dict[str, Any]") -> "Any":
    """An instance of `module.Visdom` that sends nothing: lines go to `report`, of other plots a note is left once."""

    class Visdom(module.Visdom):  # type: ignore[misc]
        def _send(self, msg: "Any", endpoint: str = "events", *_: "Any", **__: "Any") -> "Any":
            return plots.send(msg, endpoint)

    plots = _Plots(report, note)
    _refuse_the_socket(module.Visdom, keywords)
    return Visdom(**keywords)


class _Plots:
    """Takes what a Visdom client sends and answers as its server would."""

    def __init__(self, report: "Report", note: "Callable[[str, str], None]") -> None:
        self._report = report
        self._note = note
        self._titles: "Dict[str, str]" = {}
        self._counter = 0

    def send(self, message: "Dict[str, Any]", endpoint: str) -> "Any":
        if endpoint == "win_exists":
            return "true" if message.get("win") in self._titles else "false"
        if endpoint not in ("events", "update"):
            return "{}"
        window = message.get("win") or self._name_window()
        title = self._remember(window, message)
        points = list(_list_points(message))[:_MAX_POINTS]
        for name, step, value in points:
            self._report(step=step, **{title + "/" + name if name else title: value})
        if not points:
            self._note("visdom", "of nsml.Visdom only lines are kept; report numbers with nsml.report.")
        return window

    def _name_window(self) -> str:
        self._counter += 1
        return "window_{}".format(self._counter)

    def _remember(self, window: str, message: "Dict[str, Any]") -> str:
        options = dict(message.get("layout") or {}, **(message.get("opts") or {}))
        title = options.get("title") or self._titles.get(window) or window
        if isinstance(title, dict):  # plotly of later years
            title = title.get("text") or window
        self._titles[window] = str(title)
        return str(title)


def _list_points(message: "Dict[str, Any]") -> "Iterator[Tuple[str, Any, Any]]":
    """(name of the line, x, y) of each point that is a number."""
    traces = message.get("data")
    traces = [trace for trace in traces if isinstance(trace, dict)] if isinstance(traces, list) else []
    for number, trace in enumerate(traces, 1):
        xs, ys = trace.get("x"), trace.get("y")
        if not isinstance(xs, list) or not isinstance(ys, list):
            continue
        name = trace.get("name") or message.get("name") or (number if len(traces) > 1 else "")
        for x, y in zip(xs, ys):  # noqa: B905 - Python 3.6
            if isinstance(x, (int, float)) and isinstance(y, (int, float)):
                yield str(name), x, y


def _refuse_the_socket(kind: "Any", keywords: "Dict[str, Any]") -> None:
    import inspect

    parameters = inspect.signature(kind.__init__).parameters
    if "use_incoming_socket" in parameters:
        keywords["use_incoming_socket"] = False
