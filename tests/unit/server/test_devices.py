"""Which GPU is meant by a few words, and which driver is new enough."""

import pytest

from nsml_server.domain.devices import check_driver, check_model, matches_driver, matches_model
from nsml_server.errors import Invalid


@pytest.mark.parametrize(
    ("wish", "model"),
    [
        ("P40", "Tesla P40"),
        ("p40", "NVIDIA Tesla P40"),
        ("V100", "Tesla V100-SXM2-16GB"),
        ("v100-sxm2", "Tesla V100-SXM2-16GB"),
        ("A100 80GB", "NVIDIA A100-SXM4-80GB"),
        ("RTX 3090", "NVIDIA GeForce RTX 3090"),
        ("rtx3090", "NVIDIA GeForce RTX 3090"),
        ("H200,H100", "NVIDIA H100 PCIe"),
    ],
)
def test_a_model_is_meant_by_words_of_its_name(wish: str, model: str) -> None:
    assert matches_model(check_model(wish), model)


@pytest.mark.parametrize(
    ("wish", "model"),
    [
        ("P40", "Quadro P400"),
        ("A10", "NVIDIA A100"),
        ("V100 32GB", "Tesla V100-SXM2-16GB"),
        ("P4", "Tesla P40"),
        ("P40", ""),
    ],
)
def test_a_model_that_only_looks_alike_is_another(wish: str, model: str) -> None:
    assert not matches_model(wish, model)


@pytest.mark.parametrize(
    ("least", "driver", "is_met"),
    [
        ("390.46", "418.67", True),
        ("418.67", "418.67", True),
        ("418.67", "418.100", True),
        ("418.67", "418.9", False),
        ("418", "418.0", True),
        ("418.67.01", "418.67", False),
        ("390.46", "", False),
        ("390.46", "N/A", False),
    ],
)
def test_a_driver_is_as_new_as_its_numbers(least: str, driver: str, is_met: bool) -> None:
    assert matches_driver(check_driver(least), driver) is is_met


@pytest.mark.parametrize("wish", ["", ",", "P40,", "!!", "x" * 65, "P40\n"])
def test_what_is_no_model_is_refused(wish: str) -> None:
    with pytest.raises(Invalid):
        check_model(wish)


@pytest.mark.parametrize("least", ["", "new", "418.", "1.2.3.4.5", "-1", "४१८"])
def test_what_is_no_version_is_refused(least: str) -> None:
    with pytest.raises(Invalid):
        check_driver(least)
