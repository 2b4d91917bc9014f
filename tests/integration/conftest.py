"""A real PostgreSQL for the tests that want one: Debian's own, in a folder of its own, reached by a socket in it."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from nsml_server.storage import migrations
from nsml_server.storage.database import Database

SPEED = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")  # a power cut is not what is tested here


class Postgres:
    """A running cluster; `make` gives out empty databases with the newest schema."""

    def __init__(self, folder: Path, wait_until: Callable[..., Any]) -> None:
        self.folder = folder
        self._wait_until = wait_until
        self._made = 0
        self._admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")

    def url(self, name: str) -> str:
        """Of a database of this cluster."""
        return f"postgresql+psycopg://nsml@/{name}?host={self.folder}"

    def make(self) -> str:
        """The URL of a database nobody has used."""
        if not self._made:
            self._do("CREATE DATABASE empty")
            database = Database(self.url("empty"))
            migrations.upgrade(database)
            database.close()
            # A connection that was closed is let go by its server a little later, and a template must have none.
            self._wait_until(lambda: not self._ask("SELECT count(*) FROM pg_stat_activity WHERE datname = 'empty'"))
        self._made += 1
        self._do(f"CREATE DATABASE test{self._made} TEMPLATE empty")
        return self.url(f"test{self._made}")

    def drop(self, url: str) -> None:
        self._do(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
        self._admin.dispose()

    def _do(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def _ask(self, query: str) -> Any:
        with self._admin.connect() as connection:
            return connection.execute(text(query)).scalar_one()


@pytest.fixture(scope="session")
def postgres(patience: float, wait_until: Any) -> Iterator[Postgres]:
    """It refuses to run as root, and pytest's own folders are root's alone."""
    memory = Path("/dev/shm")  # making and dropping databases is mostly waiting for the disk
    folder = Path(tempfile.mkdtemp(prefix="nsml-postgres-", dir=memory if memory.is_dir() else None))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    data = folder / "data"

    def control(program: str, *words: str) -> None:
        command = [str(binaries / program), "-D", str(data), *words]
        subprocess.run(command, user=user, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=patience)

    with contextlib.ExitStack() as rest:
        rest.callback(shutil.rmtree, folder)
        control("initdb", "--username=nsml", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        options = " ".join(f"-c {word}" for word in (*SPEED, "listen_addresses=", f"unix_socket_directories={folder}"))
        rest.callback(control, "pg_ctl", "-w", "-m", "immediate", "stop")
        control("pg_ctl", "-w", "-t", f"{patience:.0f}", "-l", str(folder / "log"), "-o", options, "start")
        cluster = Postgres(folder, wait_until)
        rest.callback(cluster.close)
        yield cluster
