"""Settings are read once, frozen, and every one says what it is for."""

import pytest
from pydantic import ValidationError

from nsml_server.settings import Settings


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert Settings.model_fields[name].description


def test_the_environment_is_read_and_the_constructor_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSML_LEASE", "7")
    monkeypatch.setenv("NSML_TICK", "7")
    settings = Settings(tick=2)
    assert (settings.lease, settings.tick) == (7.0, 2.0)


@pytest.mark.parametrize(("name", "value"), [("NSML_LEASE", "0"), ("NSML_PORT", "70000"), ("NSML_MODE", "cloud")])
def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().lease = 1
