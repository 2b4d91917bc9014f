"""GPUs as requests name them: by model and by the least version of their driver."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from nsml_server.domain.names import shown
from nsml_server.errors import Invalid

MAX_WISH = 64  # characters
_WORD = re.compile(r"[a-z0-9]+")
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}", re.ASCII)


@dataclass(frozen=True)
class Gpu:
    """One device. `memory` in bytes; empty and 0: its node does not say."""

    uuid: str
    model: str = ""
    memory: int = 0
    driver: str = ""


@lru_cache(maxsize=1024)  # asked of every device of every machine, for a few wishes
def matches_model(wish: str, model: str) -> bool:
    """Whether a device of this model is what was asked for.

    A wish is words of the model's name in any order and case: "p40" is met by "Tesla P40" and never by "Quadro P400". Words may
    be written together ("rtx3090" for "GeForce RTX 3090"). Several wishes are parted by commas: any of them will do.
    """
    words = _words(model)
    return any(_is_met(_words(one), words) for one in wish.split(","))


@lru_cache(maxsize=1024)
def matches_driver(least: str, driver: str) -> bool:
    """Whether a driver is at least this version; one that is not known is not."""
    return bool(driver) and _VERSION.fullmatch(driver) is not None and _version(driver) >= _version(least)


def check_model(wish: str) -> str:
    """The wish, when a model could meet it. Raises Invalid."""
    if len(wish) > MAX_WISH or not wish.isprintable() or not all(_words(one) for one in wish.split(",")):
        raise Invalid(
            f"{shown(wish)} is no model of a GPU.",
            hint="Write words of its name, like P40 or RTX 3090; `nsmlctl gpumonitor` shows which there are.",
        )
    return wish


def check_driver(least: str) -> str:
    """The version, when it is one. Raises Invalid."""
    if _VERSION.fullmatch(least) is None:
        raise Invalid(f"{shown(least)} is no driver version.", hint="Write it like 418.67; a newer driver will do too.")
    return least


def _is_met(wish: Sequence[str], model: Sequence[str]) -> bool:
    if not wish:
        return False
    if set(wish) <= set(model):
        return True
    together = "".join(wish)
    runs = ("".join(model[i:j]) for i in range(len(model)) for j in range(i + 1, len(model) + 1))
    return together in runs


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _version(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    while numbers and numbers[-1] == 0:  # 418 and 418.0 are the same
        numbers.pop()
    return tuple(numbers)
