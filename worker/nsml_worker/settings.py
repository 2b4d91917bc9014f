"""The worker's settings, read once from its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nsml_worker.errors import SettingsInvalid

PIP_VARIABLES = re.compile(
    r"PIP_\w+|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)
_LOGIN = re.compile(r"://[^/\s@]*@")
RUNNERS = ("auto", "engine", "docker", "process")
CONFINEMENTS = ("auto", "bubblewrap", "namespace", "user", "none")


@dataclass(frozen=True)
class DockerSettings:
    """How boxes are made where a Docker engine is."""

    oci_runtime: str | None = None  #: NSML_DOCKER_RUNTIME: runsc, kata, nvidia, …; without it the engine's own
    #: NSML_BOX_NETWORKS: with commas, the engine's networks that a competition's trainings may have; nothing else ever has one
    box_networks: tuple[str, ...] = ()
    build_network: str = "bridge"  #: NSML_BUILD_NETWORK: of the boxes in which pip and apt install
    #: NSML_BOX_DISK: bytes a box may write for which the server names no limit; without it a box's share of what is free
    box_disk: int | None = None
    image_prefix: str = "nsmlctl/"  #: NSML_IMAGE_PREFIX: what stands before the names of the platform's runtime images
    image_tag: str = "latest"  #: NSML_IMAGE_TAG: and behind them
    image_bytes: int = 100 * 2**30  #: NSML_IMAGE_BYTES: disk for images that were pulled or built here
    registry_auth: Path | None = None  #: NSML_REGISTRY_AUTH: a config.json of Docker, for private registries
    connection: Mapping[str, str] = field(default_factory=dict)  #: DOCKER_HOST and its siblings

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> DockerSettings:
        """Settings from variables.

        Raises:
            SettingsInvalid: a number is none.
        """
        credentials = environment.get("NSML_REGISTRY_AUTH", "")
        return cls(
            oci_runtime=environment.get("NSML_DOCKER_RUNTIME") or None,
            box_networks=tuple(environment.get("NSML_BOX_NETWORKS", "").replace(",", " ").split()),
            build_network=environment.get("NSML_BUILD_NETWORK") or cls.build_network,
            box_disk=_read_bytes(environment, "NSML_BOX_DISK", 0) or None,
            image_prefix=environment.get("NSML_IMAGE_PREFIX", cls.image_prefix),
            image_tag=environment.get("NSML_IMAGE_TAG") or cls.image_tag,
            image_bytes=_read_bytes(environment, "NSML_IMAGE_BYTES", cls.image_bytes),
            registry_auth=Path(credentials).absolute() if credentials else None,
            connection={name: value for name, value in environment.items() if name.startswith("DOCKER_")},
        )


@dataclass(frozen=True)
class Settings:
    """How this worker finds its server, its queue and its folder."""

    server_url: str  #: NSML_SERVER_URL: where the server listens, without a path
    node: str  #: NSML_NODE: this node's name; its queue is `node.<name>`
    node_token: str  #: read from the file named by NSML_NODE_TOKEN_FILE
    broker_url: str  #: NSML_BROKER_URL: as Celery writes it
    data: Path  #: NSML_WORKER_DATA: boxes and the cache of blobs; absolute
    confinement: str = "auto"  #: NSML_CONFINEMENT: auto takes the strongest that works here
    #: PIP_… and the variables of proxies and certificates: what pip needs to reach its index
    pip: Mapping[str, str] = field(default_factory=dict)
    #: those that hold a login: what pip installs is strangers' code, and would read them. NSML_BUILD_SECRETS=1: none are kept
    kept_from_pip: tuple[str, ...] = ()
    environment_bytes: int = 20 * 2**30  #: NSML_ENVIRONMENT_BYTES: disk for installed packages that no box uses
    cache_bytes: int | None = (
        None  #: NSML_CACHE_BYTES: disk for copies of datasets and code; without it a fifth of the disk
    )
    #: NSML_RUNNER: docker; process; engine: docker where an engine answers, and then nothing else; auto: docker where an engine
    #: and the default image are
    runner: str = "auto"
    docker: DockerSettings = field(default_factory=DockerSettings)
    gpus: str = ""  #: NSML_NODE_GPUS: a JSON list of the node's GPUs; empty: those that NVML finds
    #: NSML_RUNTIMES: the folder of other Pythons that programs may name, NAME/bin/python each; empty: none
    runtimes: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Settings from variables.

        Raises:
            SettingsInvalid: a variable is missing, or a file it names cannot be read.
        """
        runner = environment.get("NSML_RUNNER") or "auto"
        if runner not in RUNNERS:
            raise SettingsInvalid(f"NSML_RUNNER is {runner!r}; set it to one of {', '.join(RUNNERS)}.")
        confinement = environment.get("NSML_CONFINEMENT", "auto")
        if confinement not in CONFINEMENTS:
            raise SettingsInvalid(f"NSML_CONFINEMENT is {confinement!r}; set it to one of {', '.join(CONFINEMENTS)}.")
        kept = () if environment.get("NSML_BUILD_SECRETS") == "1" else find_logins(environment)
        return cls(
            server_url=_require(environment, "NSML_SERVER_URL").rstrip("/"),
            node=_require(environment, "NSML_NODE"),
            node_token=_read_token(Path(_require(environment, "NSML_NODE_TOKEN_FILE"))),
            broker_url=_require(environment, "NSML_BROKER_URL"),
            data=Path(_require(environment, "NSML_WORKER_DATA")).absolute(),
            confinement=confinement,
            pip={name: environment[name] for name in environment if PIP_VARIABLES.fullmatch(name) and name not in kept},
            kept_from_pip=kept,
            environment_bytes=_read_bytes(environment, "NSML_ENVIRONMENT_BYTES", cls.environment_bytes),
            cache_bytes=_read_bytes(environment, "NSML_CACHE_BYTES", 0) or None,
            runner=runner,
            docker=DockerSettings.read(environment),
            gpus=environment.get("NSML_NODE_GPUS", ""),
            runtimes=Path(environment["NSML_RUNTIMES"]).absolute() if environment.get("NSML_RUNTIMES") else None,
        )


def find_logins(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that configure pip and hold a login of the operator's."""
    return tuple(
        name for name, value in environment.items() if PIP_VARIABLES.fullmatch(name) and holds_login(name, value)
    )


def holds_login(name: str, value: str) -> bool:
    """Whether who reads a variable of pip, or the file it names, can go to an index or through a proxy as the operator."""
    if name == "PIP_CONFIG_FILE":
        try:
            value = Path(value).read_text(errors="replace")
        except OSError:  # pip cannot read it either
            return False
    return name == "PIP_CLIENT_CERT" or _LOGIN.search(value) is not None


def _require(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsInvalid(f"The variable {name} is not set; `nsmlctl up` sets it, see docs/architecture.md.")
    return value


def _read_bytes(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "") or str(default)
    if not (text.isascii() and text.isdigit()):
        raise SettingsInvalid(f"{name} is {text!r}; set it to a number of bytes.")
    return int(text)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise SettingsInvalid(f"The node token cannot be read: {error}. Let NSML_NODE_TOKEN_FILE name it.") from error
    if not token:
        raise SettingsInvalid(f"The node token in {path} is empty; let the server write a new one.")
    return token
