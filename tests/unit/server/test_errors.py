"""Every error says what happened in one sentence and knows its status."""

from collections.abc import Iterator

import pytest

from nsml_server import errors
from nsml_server.errors import AmbiguousSession, BlobMissing, HashMismatch, IllegalMove, NsmlError, StreamGap


def tree(root: type[NsmlError] = NsmlError) -> Iterator[type[NsmlError]]:
    """The classes of this module: others, elsewhere, are known only once somebody has imported them."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


MADE: dict[type[NsmlError], NsmlError] = {
    BlobMissing: BlobMissing("a" * 64),
    IllegalMove: IllegalMove("exited", "running"),
    AmbiguousSession: AmbiguousSession("session/1", ["mina/kin/1", "mina/movie/1"]),
    StreamGap: StreamGap("log", 20, 10),
    HashMismatch: HashMismatch("a" * 64, "b" * 64),
}


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_an_error_is_a_sentence_with_a_status_and_a_code(kind: type[NsmlError]) -> None:
    error = MADE.get(kind) or kind()
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert 400 <= error.status < 600
    assert error.to_dict()["error"]["code"] == error.code


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_the_tree_at_the_top_of_the_file_is_true(kind: type[NsmlError]) -> None:
    assert f"{kind.__name__} {kind.status} {kind.code}" in " ".join((errors.__doc__ or "").split()).replace("├── ", "")


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in tree()]
    assert len(codes) == len(set(codes))


def test_what_is_given_goes_before_what_the_class_says() -> None:
    error = errors.NotFound("There is no dataset kin.", hint="Push it.", details={"name": "kin"}, code="no_dataset")
    assert error.to_dict() == {
        "error": {
            "code": "no_dataset",
            "message": "There is no dataset kin.",
            "hint": "Push it.",
            "details": {"name": "kin"},
        }
    }


def test_an_ambiguous_session_lists_its_candidates() -> None:
    error = MADE[AmbiguousSession]
    assert error.message == "session/1 may mean mina/kin/1 or mina/movie/1."
    assert error.details == {"candidates": ["mina/kin/1", "mina/movie/1"]}


def test_a_gap_tells_where_to_go_on() -> None:
    assert MADE[StreamGap].details == {"size": 10}
