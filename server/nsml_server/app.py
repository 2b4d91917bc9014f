"""The application: the one place where real things are chosen and put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from nsml_server import health
from nsml_server.agent import nodes as agent_nodes
from nsml_server.agent import questions as agent_questions
from nsml_server.agent import runs as agent_runs
from nsml_server.api import (
    accounts,
    answers,
    blobs,
    console,
    contents,
    credits,
    datasets,
    forks,
    images,
    nodes,
    scoring,
    sessions,
    submissions,
)
from nsml_server.api.bodies import JsonLimit
from nsml_server.broker import CeleryBroker
from nsml_server.clock import SystemClock
from nsml_server.services.dispatch import Dispatcher
from nsml_server.services.platform import Platform
from nsml_server.settings import Settings
from nsml_server.storage import migrations
from nsml_server.storage.blobs import FolderBlobStore
from nsml_server.storage.database import Database
from nsml_server.storage.streams import FolderStreamStore
from nsml_server.version import VERSION
from nsml_server.web import install

CLIENT_API = "/api/v1"
AGENT_API = "/agent/v1"


def make_platform(settings: Settings) -> Platform:
    """The real stores, clock and transport of these settings, with the schema brought up to date."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database)
    migrations.upgrade(database)
    return Platform(
        settings=settings,
        database=database,
        blobs=FolderBlobStore(settings.data / "blobs"),
        streams=FolderStreamStore(settings.data / "streams"),
        broker=CeleryBroker(settings.broker),
        clock=SystemClock(),
    )


def create_app(platform: Platform) -> FastAPI:
    """The two APIs, the pages and the dispatcher of one platform."""
    app = FastAPI(
        title="nsml",
        version=VERSION,
        lifespan=_lifespan,
        docs_url=None,  # the interactive page loads its scripts from elsewhere, and we ship all we use
        redoc_url=None,
        openapi_url=f"{CLIENT_API}/openapi.json",
    )
    app.state.platform = platform
    app.state.dispatcher = Dispatcher(platform)
    answers.add_handlers(app)
    app.add_middleware(JsonLimit, limit=platform.settings.request_bytes)
    nouns = (
        accounts,
        blobs,
        sessions,
        contents,
        forks,
        console,
        submissions,
        datasets,
        scoring,
        images,
        nodes,
        credits,
    )
    for noun in nouns:
        app.include_router(noun.router, prefix=CLIENT_API)
    for noun in (agent_nodes, agent_questions, agent_runs):
        app.include_router(noun.router, prefix=AGENT_API)
    app.include_router(health.router)
    install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    platform: Platform = app.state.platform
    dispatcher: Dispatcher = app.state.dispatcher
    await run_in_threadpool(dispatcher.start)
    try:
        yield
    finally:
        platform.notices.close()
        await run_in_threadpool(dispatcher.stop)
        platform.broker.close()
        platform.database.close()
