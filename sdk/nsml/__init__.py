"""NSML's library for programs that run on the platform; harmless on every other machine.

Standard library only, Python 3.6 and newer. Off the platform `bind`, `infer`, `copy`, `cache` and `Visdom` work, and `save`,
`load`, `report` and `paused` do nothing.
"""

from nsml import decoder, encoder
from nsml.client import Visdom, bind, cache, copy, infer, load, paused, report, save
from nsml.constants import (
    DATASET_NAME,
    DATASET_PATH,
    GPU_NUM,
    HAS_DATASET,
    IS_DATASET,
    IS_ON_NSML,
    MY_RANK,
    NSML_NFS_OUTPUT,
    PARALLEL_PORTS,
    PARALLEL_WORLD,
    SESSION_ID,
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
    "MY_RANK",
    "NSML_NFS_OUTPUT",
    "PARALLEL_PORTS",
    "PARALLEL_WORLD",
    "SESSION_ID",
    "SESSION_NAME",
    "Visdom",
    "bind",
    "cache",
    "copy",
    "decoder",
    "encoder",
    "infer",
    "load",
    "paused",
    "report",
    "save",
]
