"""A real PostgreSQL for the tests that want one: Debian's own, in a folder of its own, reached by a socket in it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from nsml_server.storage import migrations
from nsml_server.storage.database import Database

SPEED = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")  # a power cut is not what is tested here


class Postgres:
    """A running cluster; `make` gives out empty databases with the newest schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """It refuses to run as root, and pytest's own folders are root's alone."""
    memory = Path("/dev/shm")  # making and dropping databases is mostly waiting for the disk
    folder = Path(tempfile.mkdtemp(prefix="nsml-postgres-", dir=memory if memory.is_dir() else None))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    shutil.chown(folder, user)
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    data = folder / "data"

    def control(program: str, *words: str) -> None:
        command = [str(binaries / program), "-D", str(data), *words]
        subprocess.run(command, user=user, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    control("initdb", "--username=nsml", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    options = " ".join(f"-c {word}" for word in (*SPEED, "listen_addresses=", f"unix_socket_directories={folder}"))
    control("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    cluster = Postgres(folder)
    yield cluster
    cluster.close()
    control("pg_ctl", "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)
