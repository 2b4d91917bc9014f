"""The Celery application: two short tasks that hand over to the agent."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES

from nsml_worker.agent import Agent
from nsml_worker.contract import TASK_RUN, TASK_STOP, queue_of
from nsml_worker.errors import BrokerAway

FILE_SCHEME = "sqla+sqlite:"  # the embedded broker, which is there as soon as it is looked for
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 5, 0.5, 4.0  # for a broker that is only just starting; seconds
CONNECT = 5.0  # seconds for one try


def reach_broker(broker_url: str, tries: int | None = None) -> None:
    """Return when the broker has taken a connection.

    Raises:
        BrokerAway: it took none of `tries`, or of TRIES.
    """
    if broker_url.startswith(FILE_SCHEME):
        return
    options = options_of(broker_url)
    with Connection(broker_url, connect_timeout=CONNECT, transport_options=options) as connection:  # type: ignore[no-untyped-call]
        try:
            connection.ensure_connection(
                max_retries=(tries or TRIES) - 1,
                interval_start=FIRST_PAUSE,
                interval_step=FIRST_PAUSE,
                interval_max=LONGEST_PAUSE,
            )
        except OperationalError as error:
            raise BrokerAway(
                f"The queue at {connection.as_uri()} does not answer: {error}. Open the way there; or, where that is not its "
                "address as this machine sees it, correct NSML_BROKER_ADDRESS on the platform and start both again."
            ) from error


def options_of(broker_url: str) -> dict[str, Any]:
    """What its transport is to know."""
    return {"socket_connect_timeout": CONNECT} if broker_url.startswith("redis") else {}


def make_app(broker_url: str, node: str, agent: Agent) -> Celery:
    """An application that serves one node's queue. Messages hold an id and a token; the truth is the server's."""
    app = Celery("nsml_worker", broker=broker_url, set_as_current=False)
    app.conf.broker_transport_options = options_of(broker_url)
    if broker_url.startswith(FILE_SCHEME):  # kombu takes a transport of one's own only under a name it knows
        from nsml_worker.broker_file import Unflushed  # brings SQLAlchemy, which other brokers do without

        TRANSPORT_ALIASES["sqla"] = "nsml_worker.broker_file:WatchedTransport"
        app.conf.broker_transport_options = {"connect_args": {"factory": Unflushed}}
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=queue_of(node),
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )

    @app.task(name=TASK_RUN)  # type: ignore[untyped-decorator]
    def run(run_id: int, token: str) -> None:
        agent.take(int(run_id), str(token))

    @app.task(name=TASK_STOP)  # type: ignore[untyped-decorator]
    def stop(run_id: int, token: str) -> None:
        agent.look()  # only a hint: what is to stop, the server says

    return app
