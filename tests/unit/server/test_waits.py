"""Why runs wait, kept in memory, and who is told when that changes."""

from nsml_server.domain.placement import Wait
from nsml_server.services.waits import EXACT, Waits


def line(*run_ids: int) -> dict[int, Wait]:
    return {run_id: Wait("waits for 1 GPU", position) for position, run_id in enumerate(run_ids, 1)}


def test_who_waits_is_told_as_it_was_looked_at_last() -> None:
    waits = Waits()
    assert waits.of(1) is None
    waits.replace(line(1, 2))
    assert waits.of(2) == Wait("waits for 1 GPU", 2)
    waits.replace(line(2))
    assert waits.of(1) is None
    assert waits.of(2) == Wait("waits for 1 GPU", 1)


def test_only_those_whose_place_has_changed_are_to_look_again() -> None:
    waits = Waits()
    assert waits.replace(line(1, 2, 3)) == [1, 2, 3]
    assert waits.replace(line(1, 2, 3)) == []
    assert waits.replace(line(1, 3)) == [3]


def test_far_behind_only_every_hundredth_place_is_news() -> None:
    waits, crowd = Waits(), range(10_000)
    waits.replace(line(*crowd))
    news = waits.replace(line(*crowd[1:]))
    assert news == [*crowd[1 : EXACT + 1], *crowd[2 * EXACT :: EXACT]]
