"""The headers of every answer."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from nsml_server.web.headers import HEADERS, SafeHeaders


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.add_middleware(SafeHeaders)

    @app.get("/plain")
    def plain() -> str:
        return "x"

    @app.get("/own")
    def own() -> Response:
        return Response(headers={"Referrer-Policy": "no-referrer"})

    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/plain", "/nowhere"])
def test_every_answer_carries_them_errors_too(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_a_route_may_be_stricter(client: TestClient) -> None:
    assert client.get("/own").headers["referrer-policy"] == "no-referrer"
