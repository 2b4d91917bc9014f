"""The rows. Times are unix seconds, UTC; sizes are bytes; relations are loaded when a query says so, or raise."""

from __future__ import annotations

from nsml_server.storage.tables.base import Base
from nsml_server.storage.tables.boards import Best
from nsml_server.storage.tables.contents import Dataset, DatasetVersion, Holding, Manifest
from nsml_server.storage.tables.credits import CreditAccount, CreditEntry, CreditSchedule
from nsml_server.storage.tables.images import Image
from nsml_server.storage.tables.people import Accepted, Node, Token, User
from nsml_server.storage.tables.questions import Question
from nsml_server.storage.tables.rescorings import Rescoring
from nsml_server.storage.tables.uses import RunUse
from nsml_server.storage.tables.work import (
    Attempt,
    Checkpoint,
    Counter,
    Loan,
    Origin,
    Outgoing,
    Product,
    Run,
    Session,
    Submission,
)

__all__ = [
    "Accepted",
    "Attempt",
    "Base",
    "Best",
    "Checkpoint",
    "Counter",
    "CreditAccount",
    "CreditEntry",
    "CreditSchedule",
    "Dataset",
    "DatasetVersion",
    "Holding",
    "Image",
    "Loan",
    "Manifest",
    "Node",
    "Origin",
    "Outgoing",
    "Product",
    "Question",
    "Rescoring",
    "Run",
    "RunUse",
    "Session",
    "Submission",
    "Token",
    "User",
]
