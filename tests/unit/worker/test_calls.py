"""Requests of a worker that is leaving."""

import threading

import httpx2
import pytest

from nsml_worker.calls import Calls
from nsml_worker.errors import Leaving


@pytest.fixture
def closed() -> httpx2.Client:
    """A pool as a thread finds it that was still sending when the worker left."""
    client = httpx2.Client(base_url="http://127.0.0.1:9")
    client.close()
    return client


def test_a_thread_that_still_sends_when_the_worker_has_left_is_told_so(closed: httpx2.Client) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Leaving):
        Calls(closed, "token", stop).post("/x")


def test_a_pool_that_is_closed_while_the_worker_stays_is_a_mistake_of_ours(closed: httpx2.Client) -> None:
    with pytest.raises(RuntimeError, match="closed"):
        Calls(closed, "token", threading.Event()).post("/x")
