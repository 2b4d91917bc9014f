"""The kept table of bests equals a recount, whatever the order in which scores arrive."""

import random
from collections.abc import Iterator

import pytest

from nsml_server.domain import ranking
from nsml_server.domain.ranking import Order
from nsml_server.domain.states import RunState, SubmissionState
from nsml_server.services import leaderboard
from nsml_server.storage import migrations
from nsml_server.storage.database import Database, WriteTransaction
from nsml_server.storage.repositories import manifests, submissions
from nsml_server.storage.tables import Dataset, DatasetVersion, Run, Session, Submission, User
from nsml_worker.contract import RunKind, Tree

USERS = 6


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database("sqlite://")
    migrations.upgrade(made)
    yield made
    made.close()


def make_dataset(tx: WriteTransaction, order: Order) -> Dataset:
    empty = manifests.save(tx, Tree())
    for number in range(1, USERS + 1):
        tx.add(User(id=number, name=f"user-{number}", created_at=0.0))
    tx.flush()
    times = {"created_at": 0.0, "updated_at": 0.0}
    dataset = Dataset(id=1, name="kin", owner_id=1, metric="accuracy", order=order, leaderboard=True, **times)
    tx.add(dataset)
    tx.flush()
    tx.add(DatasetVersion(id=1, dataset_id=1, number=1, manifest=empty, metric="accuracy", size=0, created_at=0.0))
    for number in range(1, USERS + 1):
        texts = {"entry": "main.py", "image": "default", "code": empty, "created_at": 0.0}
        tx.add(Session(id=number, user_id=number, dataset="kin", number=1, version_id=1, **texts))
        tx.flush()
        wants = {"cpus": 1, "gpus": 0, "image": "default", "queued_at": 0.0, "kind": RunKind.TRAIN}
        tx.add(Run(id=number, user_id=number, session_id=number, state=RunState.EXITED, **wants))
    tx.flush()
    return dataset


def make_submission(tx: WriteTransaction, number: int, user: int, score: float, at: float) -> Submission:
    submission = Submission(
        id=number,
        session_id=user,
        user_id=user,
        dataset_id=1,
        dataset_version_id=1,
        checkpoint="1",
        checkpoint_manifest=manifests.save(tx, Tree()),
        state=SubmissionState.SCORED,
        score=score,
        created_at=at,
    )
    tx.add(submission)
    tx.flush()
    return submission


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_arrival_gives_the_board_of_a_recount(database: Database, order: Order, seed: int) -> None:
    chance = random.Random(seed)
    with database.write() as tx:
        dataset = make_dataset(tx, order)
        told = [(number, chance.randint(1, USERS), chance.choice([0.1, 0.5, 0.5, 0.9]), chance.choice([1.0, 2.0, 3.0]))
                for number in range(1, 41)]  # fmt: skip
        for number, user, score, at in told:
            leaderboard.record(tx, dataset, make_submission(tx, number, user, score, at))
    with database.read() as tx:
        shown = [(row.rank, row.submission.id, row.count) for row in leaderboard.everyone(tx, dataset)]
    entries = [ranking.Entry(number, str(user), score, at) for number, user, score, at in told]
    ranked = ranking.rank(ranking.bests(entries, order), order)
    counts = {user: sum(entry.owner == user for entry in entries) for user in {entry.owner for entry in entries}}
    assert shown == [(item.rank, item.entry.id, counts[item.entry.owner]) for item in ranked]
    with database.write() as tx:
        leaderboard.recount(tx, dataset)
    with database.read() as tx:
        assert [(row.rank, row.submission.id, row.count) for row in leaderboard.everyone(tx, dataset)] == shown


def test_a_turned_order_turns_the_board(database: Database) -> None:
    with database.write() as tx:
        dataset = make_dataset(tx, Order.DESCENDING)
        for number, user, score in ((1, 1, 0.9), (2, 1, 0.1), (3, 2, 0.5)):
            leaderboard.record(tx, dataset, make_submission(tx, number, user, score, float(number)))
        assert [row.submission.id for row in leaderboard.everyone(tx, dataset)] == [1, 3]
        dataset.order = Order.ASCENDING
        leaderboard.recount(tx, dataset)
        assert [row.submission.id for row in leaderboard.everyone(tx, dataset)] == [2, 3]


def test_equal_scores_share_a_place_and_the_next_is_skipped(database: Database) -> None:
    with database.write() as tx:
        dataset = make_dataset(tx, Order.DESCENDING)
        for number, score in ((1, 0.5), (2, 0.9), (3, 0.5), (4, 0.1)):
            leaderboard.record(tx, dataset, make_submission(tx, number, number, score, float(number)))
        rows = leaderboard.everyone(tx, dataset)
        assert [(row.rank, row.submission.id) for row in rows] == [(1, 2), (2, 1), (2, 3), (4, 4)]
        scored = submissions.scored(tx, dataset.id)
        assert leaderboard.standings(tx, scored) == {1: (2, True), 2: (1, True), 3: (2, True), 4: (4, True)}
