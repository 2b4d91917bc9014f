"""What the API's answers mean here: repetitions, errors with their next step, other versions."""

import json
from typing import Any

import pytest

from nsmlctl.api import Api
from nsmlctl.errors import (
    AmbiguousSession,
    CutOff,
    Forbidden,
    NotFound,
    NotLoggedIn,
    Refused,
    ServerAway,
    VersionSkew,
    error_of,
)
from nsmlctl.exchange import RETRY_DELAYS
from nsmlctl.references import parse_session
from nsmlctl.transport import Response
from nsmlctl.workplace import Workplace

CUT = CutOff("The connection broke.")


@pytest.fixture
def api(place: Workplace) -> Api:
    return place.api()


def test_every_request_carries_the_token_and_who_asks(api: Api, platform: Any) -> None:
    platform.on("GET", "/me", {"user": "kim"})
    assert api.me() == {"user": "kim"}
    headers = platform.calls[0].headers
    assert headers["Authorization"] == "Bearer secret"
    assert headers["User-Agent"].startswith("nsmlctl/")


def test_a_broken_connection_is_tried_again(api: Api, platform: Any) -> None:
    platform.on("GET", "/me", CUT, CUT, {"user": "kim"})
    assert api.me() == {"user": "kim"}
    assert platform.pauses == list(RETRY_DELAYS[:2])


def test_an_answer_cut_in_the_middle_is_asked_for_again(api: Api, platform: Any) -> None:
    def cut() -> Any:
        yield b'{"user": '
        raise CUT

    platform.on("GET", "/me", Response(200, {}, cut()), {"user": "kim"})
    assert api.me() == {"user": "kim"}


def test_after_some_tries_it_is_told(api: Api, platform: Any) -> None:
    platform.on("GET", "/me", CUT)
    with pytest.raises(CutOff):
        api.me()
    assert len(platform.calls) == len(RETRY_DELAYS) + 1


def test_a_server_that_is_away_is_told_at_once(api: Api, platform: Any) -> None:
    platform.on("GET", "/me", ServerAway("No platform answers."))
    with pytest.raises(ServerAway) as caught:
        api.me()
    assert "NSML_SERVER" in str(caught.value.hint)
    assert len(platform.calls) == 1


def test_a_repeated_run_carries_the_same_key(api: Api, platform: Any) -> None:
    platform.on("POST", "/sessions", CUT, {"name": "kim/kin/1"})
    api.create_session({}, key="k")
    assert [call.headers["Idempotency-Key"] for call in platform.calls] == ["k", "k"]


def test_making_an_account_is_never_repeated(api: Api, platform: Any) -> None:
    platform.on("POST", "/users", CUT)
    with pytest.raises(CutOff):
        api.add_user("mina", admin=False)
    assert len(platform.calls) == 1


def test_a_removal_that_was_carried_out_before_the_cut_is_a_success(api: Api, platform: Any, refuse: Any) -> None:
    platform.on("DELETE", "/datasets/kin", CUT, lambda call: refuse(404, "not_found", "There is no dataset kin."))
    api.remove_dataset("kin")


def test_removing_what_is_not_there_is_told(api: Api, platform: Any, refuse: Any) -> None:
    platform.on("DELETE", "/datasets/kin", refuse(404, "not_found", "There is no dataset kin."))
    with pytest.raises(NotFound):
        api.remove_dataset("kin")


def test_a_busy_server_is_given_the_time_it_asks_for(api: Api, platform: Any) -> None:
    platform.on("GET", "/me", Response(429, {"retry-after": "3"}, iter(())), {"user": "kim"})
    api.me()
    assert platform.pauses == [3.0]


def test_nobody_waits_long_for_a_busy_server(api: Api, platform: Any) -> None:
    platform.on("GET", "/me", Response(503, {"retry-after": "86400"}, iter(())), {"user": "kim"})
    api.me()
    assert platform.pauses == [10.0]


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (401, NotLoggedIn, 3),
        (403, Forbidden, 3),
        (404, NotFound, 4),
        (409, Refused, 1),
        (422, Refused, 1),
        (500, Refused, 1),
    ],
)
def test_each_status_has_its_error_and_exit_code(status: int, kind: type[Exception], exit_code: int) -> None:
    error = error_of(status, {"error": {"code": "x", "message": "No.", "hint": "Do this."}})
    assert (type(error), str(error), error.hint, error.exit_code) == (kind, "No.", "Do this.", exit_code)


def test_two_sessions_that_fit_are_both_listed() -> None:
    details = {"candidates": ["kim/kin/1", "kim/movie/1"]}
    error = error_of(409, {"error": {"code": "ambiguous_session", "message": "Which one?", "details": details}})
    assert isinstance(error, AmbiguousSession)
    assert "kim/kin/1" in str(error)
    assert "kim/movie/1" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>404</html>",
        b'{"detail": "Not Found"}',
        b"[]",
        b'{"error": "no"}',
        b"\xff",
        b'{"error": {"message": "Not Found."}}',
    ],
)
def test_an_answer_in_another_language_is_another_version(api: Api, platform: Any, body: bytes) -> None:
    platform.on("GET", "/me", Response(404, {}, iter((body,))))
    with pytest.raises(VersionSkew) as caught:
        api.me()
    assert "nsmlctl status" in str(caught.value.hint)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"3"])
def test_a_success_that_is_no_object_is_another_version(api: Api, platform: Any, body: bytes) -> None:
    platform.on("GET", "/platform", body)
    with pytest.raises(VersionSkew):
        api.platform()


def test_an_unknown_token_tells_how_to_log_in(api: Api, platform: Any, refuse: Any) -> None:
    platform.on("GET", "/me", refuse(401, "unauthenticated", "This token is not known."))
    with pytest.raises(NotLoggedIn) as caught:
        api.me()
    assert "nsmlctl login" in str(caught.value.hint)


def test_a_short_session_name_travels_with_the_near_dataset(api: Api, platform: Any) -> None:
    platform.on("PATCH", "/sessions/_/_/3", {"name": "kim/kin/3"})
    api.change_memo(parse_session("3", near="kin"), "new")
    assert platform.calls[0].query == {"near": "kin"}
    assert json.loads(platform.calls[0].body) == {"memo": "new"}


class TestAPlatformStartedAnew:
    @pytest.fixture
    def local(self, place: Workplace, platform: Any) -> Workplace:
        """Logged in by what the platform of this machine wrote; each address has its own way."""
        self.write(place, "http://first", "one")
        return place._replace(environ={})

    @staticmethod
    def write(place: Workplace, url: str, token: str) -> None:
        place.home.mkdir(exist_ok=True)
        (place.home / "platform.json").write_text(json.dumps({"url": url, "token": token}))

    def test_a_command_under_way_takes_its_new_token(self, local: Workplace, platform: Any, refuse: Any) -> None:
        api = local.api()
        self.write(local, "http://first", "two")
        platform.on("GET", "/me", refuse(401, "unauthenticated", "This token is not known."), {"user": "kim"})
        assert api.me() == {"user": "kim"}
        assert [call.headers["Authorization"] for call in platform.calls] == ["Bearer one", "Bearer two"]

    def test_a_command_under_way_finds_its_new_address(self, local: Workplace, platform: Any) -> None:
        api = local.api()
        self.write(local, "http://second", "two")
        platform.on("GET", "/me", ServerAway("No platform answers at http://first."), {"user": "kim"})
        assert api.me() == {"user": "kim"}

    def test_a_token_that_is_wrong_all_the_same_is_asked_once(
        self, local: Workplace, platform: Any, refuse: Any
    ) -> None:
        platform.on("GET", "/me", lambda call: refuse(401, "unauthenticated", "This token is not known."))
        with pytest.raises(NotLoggedIn):
            local.api().me()
        assert len(platform.calls) == 1

    def test_a_platform_that_is_gone_is_away(self, local: Workplace, platform: Any) -> None:
        api = local.api()
        (local.home / "platform.json").unlink()
        platform.on("GET", "/me", ServerAway("No platform answers at http://first."))
        with pytest.raises(ServerAway) as caught:
            api.me()
        assert "nsmlctl up" in str(caught.value.hint)

    def test_a_login_elsewhere_made_meanwhile_is_not_taken(self, local: Workplace, platform: Any, refuse: Any) -> None:
        api = local.api()
        (local.home / "login.json").write_text(json.dumps({"url": "http://elsewhere", "token": "other"}))
        platform.on("GET", "/me", lambda call: refuse(401, "unauthenticated", "This token is not known."))
        with pytest.raises(NotLoggedIn):
            api.me()
        assert [call.headers["Authorization"] for call in platform.calls] == ["Bearer one"]
