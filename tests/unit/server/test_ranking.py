"""The board is a pure function of stored scores."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.domain.ranking import (
    CUSTOM,
    METRICS,
    Entry,
    Order,
    best_of,
    bests,
    check_metric,
    is_better,
    order_of,
    rank,
)
from nsml_server.errors import Invalid
from nsml_worker import score

orders = st.sampled_from(Order)
scores = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 0.5, 1.0]))


def entries(owners: str = "abc", max_size: int = 25) -> st.SearchStrategy[list[Entry]]:
    made = st.tuples(st.sampled_from(owners), scores, st.integers(0, 5))
    return st.lists(made, max_size=max_size).map(
        lambda rows: [Entry(number, owner, score, float(at)) for number, (owner, score, at) in enumerate(rows)]
    )


def scored(*values: float) -> list[Entry]:
    return [Entry(number, f"user{number}", value, float(number)) for number, value in enumerate(values)]


def test_equal_scores_share_a_rank_and_the_next_is_skipped() -> None:
    ranked = rank(scored(0.5, 0.9, 0.7, 0.9), Order.DESCENDING)
    assert [(place.rank, place.entry.score) for place in ranked] == [(1, 0.9), (1, 0.9), (3, 0.7), (4, 0.5)]


def test_of_equal_scores_the_one_submitted_earlier_is_listed_first() -> None:
    late, early = Entry(1, "late", 1.0, 20.0), Entry(2, "early", 1.0, 10.0)
    assert [place.entry.owner for place in rank([late, early], Order.ASCENDING)] == ["early", "late"]


def test_ascending_puts_the_lowest_first() -> None:
    assert [place.entry.score for place in rank(scored(3.0, 1.0, 2.0), Order.ASCENDING)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("order", Order)
def test_a_score_that_is_not_finite_is_nowhere(value: float, order: Order) -> None:
    assert [place.entry.score for place in rank(scored(value, 0.1), order)] == [0.1]
    assert not is_better(value, None, order)
    assert not is_better(value, 0.1, order)
    assert is_better(0.1, value, order)
    assert best_of(None, Entry(1, "a", value, 0.0), order) is None


@pytest.mark.parametrize(
    ("new", "old", "order", "better"),
    [
        (0.9, None, Order.DESCENDING, True),
        (0.9, 0.8, Order.DESCENDING, True),
        (0.9, 0.9, Order.DESCENDING, False),
        (0.8, 0.9, Order.ASCENDING, True),
        (0.9, 0.8, Order.ASCENDING, False),
    ],
)
def test_better_is_strict(new: float, old: float | None, order: Order, better: bool) -> None:
    assert is_better(new, old, order) is better


@given(entries(), orders, st.randoms())
def test_any_order_of_arrival_gives_the_same_board(made: list[Entry], order: Order, random: object) -> None:
    board = rank(bests(made, order), order)
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(bests(shuffled, order), order) == board


@given(entries(), orders)
def test_one_score_at_a_time_gives_the_board_that_a_recount_gives(made: list[Entry], order: Order) -> None:
    kept: dict[str, Entry] = {}
    for seen, entry in enumerate(made, 1):
        best = best_of(kept.get(entry.owner), entry, order)
        if best:
            kept[entry.owner] = best
        assert rank(kept.values(), order) == rank(bests(made[:seen], order), order)


@given(entries(), orders)
def test_a_rank_is_one_more_than_the_number_of_better_scores(made: list[Entry], order: Order) -> None:
    for place in rank(made, order):
        better = sum(is_better(other.score, place.entry.score, order) for other in made)
        assert place.rank == better + 1


@given(entries(), orders)
def test_an_owner_is_on_the_board_once_with_a_score_nobody_of_theirs_beats(made: list[Entry], order: Order) -> None:
    board = bests(made, order)
    assert len({entry.owner for entry in board}) == len(board)
    for entry in board:
        assert not any(is_better(other.score, entry.score, order) for other in made if other.owner == entry.owner)


def test_metrics_know_their_order() -> None:
    assert order_of("accuracy", None) is Order.DESCENDING
    assert order_of("mse", None) is Order.ASCENDING
    assert order_of("mse", "descending") is Order.DESCENDING
    assert all(check_metric(name) == name for name in METRICS)


def test_an_unknown_metric_or_order_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid) as refused:
        check_metric("beauty")
    assert "accuracy" in (refused.value.hint or "")
    with pytest.raises(Invalid, match="sideways"):
        order_of("accuracy", "sideways")


def test_every_metric_that_is_not_custom_is_one_the_scorer_computes() -> None:
    assert set(METRICS) - {CUSTOM} == set(score.METRICS)
