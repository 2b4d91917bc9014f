"""Which of a worker and a server is the older."""

import pytest

from nsml_server.domain.versions import Skew, advise, compare


@pytest.mark.parametrize(
    ("worker", "server", "skew"),
    [
        ("0.1.0", "0.1.0", None),
        ("0.1", "0.1.0", None),
        ("0.1.0", "0.2.0", Skew.OLDER),
        ("0.9.0", "0.10.0", Skew.OLDER),
        ("0.2.0", "0.1.9", Skew.NEWER),
        ("", "0.1.0", Skew.OLDER),
        ("no version", "0.1.0", None),
        ("9" * 5000, "0.1.0", Skew.NEWER),
    ],
)
def test_versions_are_compared_by_their_numbers(worker: str, server: str, skew: Skew | None) -> None:
    assert compare(worker, server) is skew


def test_whoever_is_older_is_told_what_to_update() -> None:
    assert advise("0.1.0", "0.1.0") is None
    assert str(advise("", "0.2.0")).endswith("older than the server, which is 0.2.0: update the worker.")
    assert str(advise("0.3.0", "0.2.0")).endswith("Update the server.")
