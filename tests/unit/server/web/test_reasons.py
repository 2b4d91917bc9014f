"""Each end has a heading that the catalogues translate."""

import pytest

from nsml_server.domain.reasons import Reason
from nsml_server.web.reasons import heading_of


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_a_heading(reason: Reason) -> None:
    assert heading_of(reason.value) != reason.value


def test_a_reason_of_a_newer_server_is_shown_as_it_is() -> None:
    assert heading_of("struck_by_lightning") == "struck_by_lightning"
