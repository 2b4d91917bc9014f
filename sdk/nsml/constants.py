"""What a program may know about the session it runs in, also as `from nsml import …`.

Read from the environment when the package is imported: programs write `from nsml import DATASET_PATH`, and Python 3.6 has
no later moment to give them the value. Off the platform everything is false, empty or 0.
"""

import os

from nsml import _contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List


def _read(variable: str) -> str:
    return os.environ.get(variable, "")


def _read_list(variable: str) -> "List[str]":
    return [item for item in _read(variable).split(",") if item]


def _read_count(variable: str) -> int:
    text = _read(variable)
    return int(text) if text.isdigit() else 0


#: True inside a session of the platform.
IS_ON_NSML = bool(_read(_contract.ENV_HOME))
#: Folder of the dataset, e.g. `/data/kin_phase1`, or an empty text.
DATASET_PATH = _read(_contract.ENV_DATASET_PATH)
#: Name of the dataset, e.g. `kin_phase1`, or an empty text.
DATASET_NAME = _read(_contract.ENV_DATASET_NAME)
#: True when the session was started with a dataset.
HAS_DATASET = IS_ON_NSML and bool(DATASET_PATH)
#: The name HAS_DATASET had until April 2018.
IS_DATASET = HAS_DATASET
#: Number of GPUs the session was given.
GPU_NUM = _read_count(_contract.ENV_GPU_NUM)
#: `USER/DATASET/NUMBER`, or an empty text.
SESSION_NAME = _read(_contract.ENV_SESSION_NAME)
#: The session's number as a text, or an empty text: it can be part of a file's name.
SESSION_ID = _read(_contract.ENV_SESSION_NUMBER)
#: A writable folder shared between sessions where the platform gives one, or an empty text.
NSML_NFS_OUTPUT = _read(_contract.ENV_NFS_OUTPUT)
#: Addresses of the nodes of a distributed run, this one's alone otherwise: `tcp://{PARALLEL_WORLD[0]}:{PARALLEL_PORTS[0]}`.
PARALLEL_WORLD = _read_list(_contract.ENV_WORLD) or ["127.0.0.1"]
#: The ports to meet at, 29500 (the default of torch) in a run on one node.
PARALLEL_PORTS = [int(port) for port in _read_list(_contract.ENV_PORTS) if port.isdigit()] or [29500]
#: Which of them this process is, from 0.
MY_RANK = _read_count(_contract.ENV_RANK)
