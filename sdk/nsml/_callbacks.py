"""The functions a program binds, and how each convention of 2017–2022 is called: with exactly what it accepts."""

from nsml.errors import NotBound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

    Callback = Callable[..., Any]

# Arguments of `bind` that steered the library itself and are no objects to save.
_SETTINGS = frozenset(["use_nsml_legacy"])


class Binding:
    """What is bound now. A later `bind` replaces only what it names; objects alone bring the default savers back."""

    def __init__(self) -> None:
        self.save: "Optional[Callback]" = None
        self.load: "Optional[Callback]" = None
        self.infer: "Optional[Callback]" = None
        self.extra: "Tuple[Any, ...]" = ()
        self.objects: "Dict[str, Any]" = {}

    def update(
        self,
        save: "Optional[Callback]",
        load: "Optional[Callback]",
        infer: "Optional[Callback]",
        extra: "Tuple[Any, ...]",
        objects: "Dict[str, Any]",
    ) -> None:
        """Take over what was given. `extra` holds the fourth and fifth callback of 2017 (evaluate, decode)."""
        objects = {name: value for name, value in objects.items() if name not in _SETTINGS}
        if objects:
            self.objects = objects
            if save is None and load is None:
                self.save = self.load = None
        self.save = save or self.save
        self.load = load or self.load
        self.infer = infer or self.infer
        self.extra = extra or self.extra

    def saver(self, given: "Optional[Callback]") -> "Callback":
        """The function that saves: the one given, the bound one, or the default saver of the bound objects.

        Raises:
            NotBound: there is none of the three.
        """
        chosen = given or self.save or self._default("write")
        if chosen is None:
            raise NotBound("nsml.save has nothing to save; call nsml.bind(save=your_function) before it.")
        return chosen

    def loader(self, given: "Optional[Callback]") -> "Optional[Callback]":
        """The function that loads, chosen as for `saver`, or None."""
        return given or self.load or self._default("read")

    def has_defaults(self) -> bool:
        """Whether the default savers act: objects alone are bound."""
        return bool(self.objects) and self.save is None and self.load is None

    def predictor(self) -> "Callback":
        """The bound infer.

        Raises:
            NotBound: there is none.
        """
        if self.infer is None:
            raise NotBound("Nothing is bound that predicts; call nsml.bind(infer=your_function) first.")
        return self.infer

    def _default(self, verb: str) -> "Optional[Callback]":
        if not self.has_defaults():
            return None
        from nsml import _savers

        function = _savers.write if verb == "write" else _savers.read
        objects = self.objects
        return lambda path: function(path, objects)


def convert_input(data: "Any", app_type: "Optional[str]") -> "Any":
    """What NSML's web apps made of one input: a data URL becomes [its bytes], a text of a list app {'data': [[text]]}."""
    if app_type == "list_string":
        return {"data": [[data]]}
    if isinstance(data, str) and data.startswith("data:") and "base64," in data:
        import base64

        return [base64.b64decode(data.split("base64,", 1)[1])]
    return data


def call(function: "Callback", arguments: "Tuple[Any, ...]", keywords: "Dict[str, Any]") -> "Any":
    """Call `function` with the arguments it accepts; several it cannot take come as one tuple."""
    positional, names, takes_any = _parameters(function)
    if len(arguments) > positional >= 1:
        arguments = (arguments,)
    taken = names[: len(arguments)]
    accepted = {name: keywords[name] for name in keywords if name not in taken and (takes_any or name in names)}
    return function(*arguments, **accepted)


def takes(function: "Callback", name: str) -> bool:
    """Whether `function` accepts a keyword of this name."""
    _, names, takes_any = _parameters(function)
    return takes_any or name in names


def _parameters(function: "Callback") -> "Tuple[float, Tuple[str, ...], bool]":
    """How many positional arguments it takes, the names it takes as keywords in order, and whether it takes any name."""
    import inspect

    try:
        parameters = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin that does not tell
        return float("inf"), (), False
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword_only = [p.name for p in parameters if p.kind == p.KEYWORD_ONLY]
    takes_rest = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    # A positional-only name keeps its place, and can never be met by a keyword.
    names = ["" if p.kind == p.POSITIONAL_ONLY else p.name for p in plain] + keyword_only
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters)
    return float("inf") if takes_rest else len(plain), tuple(names), takes_any
