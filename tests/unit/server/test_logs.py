"""What the server says of itself holds no secret."""

import json
from collections.abc import Iterator

import pytest
import structlog

from nsml_server import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_traceback_tells_where_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    token = "nsml_" + "secret"
    logs.configure()
    try:
        raise_with(token)
    except ValueError as error:
        structlog.get_logger().error("request_failed", exc_info=error)
    line = capsys.readouterr().err
    assert "raise_with" in line
    assert json.loads(line)["event"] == "request_failed"
    assert token not in line


def raise_with(token: str) -> None:
    raise ValueError(len(token))
