"""What a scoring left: a score, or why there is none. The file comes from a box: it is only parsed."""

from __future__ import annotations

import json
import math
from typing import Any

from nsml_server.domain.names import escaped
from nsml_server.errors import NsmlError
from nsml_server.services import specs
from nsml_server.services.platform import Platform
from nsml_worker.contract import Collected

MAX_MESSAGE = 2000  # characters of what the evaluation says of its failure


def read(platform: Platform, output: Collected | None) -> float | dict[str, Any] | None:
    """The score, or the error in its place; None for what is neither."""
    if output is None or output.size > specs.MAX_SCORE:
        return None
    try:
        with platform.blobs.open(output.hash) as source:
            told = json.loads(source.read(specs.MAX_SCORE))
    except (NsmlError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    score, error = told.get("score"), told.get("error")
    if isinstance(score, (int, float)) and not isinstance(score, bool) and _is_finite(score):
        return float(score)
    if not isinstance(error, dict):
        return None
    return {**error, "message": escaped(" ".join(str(error.get("message", "")).split()), MAX_MESSAGE)}


def _is_finite(score: float) -> bool:
    try:
        return math.isfinite(float(score))
    except OverflowError:
        return False
