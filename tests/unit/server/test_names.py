"""What may be called what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.domain.names import (
    SessionName,
    check_checkpoint,
    check_dataset,
    check_hash,
    check_user,
    is_visible,
    parse_number,
    shown,
)
from nsml_server.errors import Invalid

good_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", fullmatch=True)


@pytest.mark.parametrize("name", ["kin_phase1", "1_reg_dust", "tr-4", "2020KHD_PNS", "a.b", "x" * 40])
def test_names_of_the_old_competitions_are_taken(name: str) -> None:
    assert check_dataset(name) == name
    assert check_user(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "_",
        ".",
        "..",
        "-rf",
        ".hidden",
        "a/b",
        "a b",
        "a\n",
        "a\x00",
        "x" * 41,
        "한글",
        "a\u202eb",
        "../etc",
        "ａ",
        "٣",
    ],
)
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_dataset(name)
    assert refused.value.hint
    with pytest.raises(Invalid):
        check_user(name)


@pytest.mark.parametrize("name", ["None", "none", "NONE"])
def test_the_name_of_no_dataset_is_kept_free(name: str) -> None:
    with pytest.raises(Invalid, match="without a dataset"):
        check_dataset(name)


@given(good_names.filter(lambda name: name.lower() != "none"))
def test_a_name_that_is_taken_is_one_harmless_part_of_a_path(name: str) -> None:
    assert check_dataset(name) == name
    assert "/" not in name
    assert name not in {".", ".."}


@pytest.mark.parametrize("name", ["1", "best", "100best", "epoch 3", "args_e3", "가장 좋은", "a.b:c=1", "x" * 128])
def test_checkpoints_have_any_name_a_person_would_choose(name: str) -> None:
    assert check_checkpoint(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "a\nb", "a\x00", " a", "a ", "x" * 129, "a\u202eb", "\ud800"]
)
def test_checkpoint_names_that_mislead_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_checkpoint(name)
    assert is_visible(refused.value.message)


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_is_a_checkpoint_or_is_refused_in_a_sentence_that_can_be_printed(name: str) -> None:
    told = name
    try:
        assert check_checkpoint(name) == name
    except Invalid as refused:
        told = refused.message
    told.encode()
    assert is_visible(told)


@given(good_names, good_names, st.integers(1, 10**9 - 1))
def test_a_session_name_reads_back_as_it_was_written(user: str, dataset: str, number: int) -> None:
    name = SessionName(user, dataset, number)
    assert SessionName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text", ["", "1", "kin/1", "a/b/c", "a/b/0", "a/b/01", "a/b/-1", "a/b/1/2", "a//1", "a b/c/1", "a/b/１", "a/b/1\n"]
)
def test_a_text_that_is_no_session_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not the name of a session") as refused:
        SessionName.parse(text)
    assert "USER/DATASET/N" in (refused.value.hint or "")


def test_a_number_begins_at_one() -> None:
    assert parse_number("12") == 12
    with pytest.raises(Invalid):
        parse_number("0")


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "../" * 21 + "a", "a" * 64 + "\n"])
def test_a_hash_is_64_small_hexadecimal_digits(text: str) -> None:
    with pytest.raises(Invalid):
        check_hash(text)
    assert check_hash("0a" * 32) == "0a" * 32


@given(st.text(alphabet=st.characters()))
def test_what_is_shown_can_be_printed_and_is_short(text: str) -> None:
    assert is_visible(shown(text))
    assert len(shown(text, 10)) <= 10 * 10 + 3
