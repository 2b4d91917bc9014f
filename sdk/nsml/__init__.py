"""NSML's library for programs that run on the platform; harmless on every other machine.

Standard library only, Python 3.6 and newer. Off the platform `bind` and `infer` work, and `save`, `load`, `report` and
`paused` do nothing.
"""

from nsml.client import bind, infer, load, paused, report, save
from nsml.constants import (
    DATASET_NAME,
    DATASET_PATH,
    GPU_NUM,
    HAS_DATASET,
    IS_DATASET,
    IS_ON_NSML,
    NSML_NFS_OUTPUT,
    SESSION_NAME,
)

__version__ = "0.1.0"

__all__ = [
    "DATASET_NAME",
    "DATASET_PATH",
    "GPU_NUM",
    "HAS_DATASET",
    "IS_DATASET",
    "IS_ON_NSML",
    "NSML_NFS_OUTPUT",
    "SESSION_NAME",
    "bind",
    "infer",
    "load",
    "paused",
    "report",
    "save",
]
