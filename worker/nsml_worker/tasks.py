"""The Celery application: two short tasks that hand over to the agent."""

from __future__ import annotations

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from nsml_worker.agent import Agent
from nsml_worker.contract import TASK_RUN, TASK_STOP, queue_of

FILE_SCHEME = "sqla+sqlite:"  # the embedded broker


def make_app(broker_url: str, node: str, agent: Agent) -> Celery:
    """An application that serves one node's queue. Messages hold an id and a token; the truth is the server's."""
    app = Celery("nsml_worker", broker=broker_url, set_as_current=False)
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
