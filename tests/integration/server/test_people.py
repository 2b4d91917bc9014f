"""Tokens, login links, users, nodes: who may come in, how often, and for how long."""

from typing import Any

import pytest
from sqlalchemy import func, select

from nsml_server.services import accounts, tokens
from nsml_server.storage.tables import Token


def test_an_administrator_adds_users_and_nobody_else_does(join: Any, client: Any) -> None:
    admin, mina = join("root", admin=True), join("mina")
    assert mina.call("POST", "/users", json={"name": "x"}).status_code == 403
    added = admin.call("POST", "/users", json={"name": "jisoo"})
    assert added.status_code == 201
    headers = {"Authorization": f"Bearer {added.json()['token']}"}
    assert client.get("/api/v1/me", headers=headers).json() == {"user": "jisoo", "admin": False}
    assert admin.call("POST", "/users", json={"name": "jisoo"}).status_code == 409
    assert admin.call("POST", "/users", json={"name": "../x"}).status_code == 422


def test_a_node_that_gets_a_new_token_loses_its_old_one(join: Any, client: Any) -> None:
    admin = join("root", admin=True)
    first, second = (admin.call("POST", "/nodes", json={"name": "gpu-1"}).json()["token"] for _ in range(2))
    answers = [
        client.post(
            "/agent/v1/nodes/gpu-1/heartbeat", json={"boxes": []}, headers={"Authorization": f"Bearer {token}"}
        ).status_code
        for token in (first, second)
    ]
    assert answers == [401, 200]


def test_a_login_link_opens_once_and_not_for_long(platform: Any, mina: Any, clock: Any) -> None:
    link = mina.call("POST", "/login-links", json={}).json()
    assert link["expires_in"] == 300
    secret = link["url"].removeprefix("http://nsml.test/enter/")
    with platform.database.write() as tx:
        browser = accounts.redeem_login_link(tx, secret, clock.now())
    with platform.database.read() as tx:
        assert accounts.authenticate(tx, browser, clock.now()).name == "mina"
        assert refused(accounts.redeem_login_link, tx, secret, clock.now())
    late = mina.call("POST", "/login-links", json={}).json()["url"].rsplit("/", 1)[1]
    clock.move(301)
    with platform.database.write() as tx:
        assert refused(accounts.redeem_login_link, tx, late, clock.now())


def test_a_login_link_is_no_token_for_anything_else(mina: Any, client: Any) -> None:
    secret = mina.call("POST", "/login-links", json={}).json()["url"].rsplit("/", 1)[1]
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_browser_stays_logged_in_for_a_month(platform: Any, mina: Any, clock: Any) -> None:
    with platform.database.write() as tx:
        browser = accounts.log_in_browser(tx, mina.token, clock.now())
    clock.move(accounts.BROWSER + 1)
    with platform.database.read() as tx:
        assert refused(accounts.authenticate, tx, browser, clock.now())


@pytest.mark.parametrize("rows", ["sqlite"], indirect=True)  # its file is what we look into
def test_a_database_holds_no_token_that_opens_anything(platform: Any, mina: Any, worker: Any) -> None:
    platform.database.check()
    dump = b"".join(path.read_bytes() for path in platform.settings.data.glob("nsml.sqlite*"))
    for token in (mina.token, worker.token):
        assert token.encode() not in dump
        assert tokens.digest(token).encode() in dump


def test_what_has_run_out_is_forgotten(platform: Any, mina: Any, clock: Any, app: Any) -> None:
    def count() -> int:
        with platform.database.read() as tx:
            return int(tx.scalar(select(func.count()).select_from(Token)))

    kept = count()
    mina.call("POST", "/login-links", json={})
    assert count() == kept + 1
    clock.move(8 * 86_400)
    app.state.dispatcher.run_once()
    assert count() == kept
    with platform.database.read() as tx:
        assert accounts.authenticate(tx, mina.token, clock.now()).name == "mina"


def refused(function: Any, *arguments: Any) -> bool:
    try:
        function(*arguments)
    except accounts.Unauthenticated:
        return True
    return False
