"""What the library raises by itself; an error of a callback passes through unchanged.

NsmlError
├── NotBound (RuntimeError)          nothing was bound that could do what was asked
├── InvalidName (ValueError)         a checkpoint's name
├── InvalidResult (TypeError)        infer returned something that is no list of (probability, result)
├── WrongLength (ValueError)         infer returned more or fewer results than it was given rows
├── InvalidLine (ValueError)         a result that does not fit on one line of the prediction file
└── EmptyPrediction (RuntimeError)   the prediction file is missing or empty
"""


class NsmlError(Exception):
    """Root of the library's own errors."""


class NotBound(NsmlError, RuntimeError):
    """Nothing is bound that could do what was asked."""


class InvalidName(NsmlError, ValueError):
    """The name of a checkpoint cannot be used."""


class InvalidResult(NsmlError, TypeError):
    """infer returned something else than a list of (probability, result) pairs."""


class WrongLength(NsmlError, ValueError):
    """infer returned `got` results for `expected` rows."""

    def __init__(self, expected: int, got: int) -> None:
        message = "infer was given {} rows and returned {} results; return one (probability, result) for each row."
        super().__init__(message.format(expected, got))
        self.expected = expected
        self.got = got


class InvalidLine(NsmlError, ValueError):
    """A result does not fit on one line of the prediction file."""


class EmptyPrediction(NsmlError, RuntimeError):
    """The prediction file is missing or empty."""
