"""python -m nsml_worker: serve this node's queue until told to leave."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from types import FrameType
from typing import Any

import structlog
from celery import signals
from celery.platforms import SecurityWarning

from nsml_worker.bootstrap import has_boxes, make_agent
from nsml_worker.errors import NsmlWorkerError
from nsml_worker.settings import Settings
from nsml_worker.tasks import make_app, reach_broker

HANDOVERS = 4  # threads that hand messages over; a run has a thread of its own


def main() -> int:
    """Serve with the settings of the environment; returns the exit code."""
    return serve(os.environ)


def serve(environment: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; then say goodbye and leave the boxes running.

    A node that says hello is given runs, so one that cannot hear of them says nothing.
    """
    configure_logging()
    try:
        settings = Settings.read(environment)
        if not has_boxes(settings.data):  # whose leases would run out meanwhile
            reach_broker(settings.broker_url)
        agent = make_agent(settings)
    except NsmlWorkerError as error:
        print(f"nsml_worker: {error}", file=sys.stderr)
        return error.exit_code
    agent.start()
    app = make_app(settings.broker_url, settings.node, agent)
    signals.worker_ready.connect(obey_signals_at_once)
    # Celery warns root against tasks that are pickles. Ours are JSON, and only root can give each box a user of its own.
    warnings.simplefilter("ignore", SecurityWarning)
    try:
        app.Worker(
            pool="threads",
            concurrency=HANDOVERS,
            hostname=f"nsml@{settings.node}",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
            loglevel="WARNING",
        ).start()
    finally:
        agent.leave()
    return 0


def obey_signals_at_once(**_: Any) -> None:
    """Leave without Celery's wait for tasks under way: a task is a short hand-over, and one that is repeated is harmless."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def configure_logging() -> None:
    """Events as lines on standard error."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


if __name__ == "__main__":
    sys.exit(main())
