"""The platform itself, and its people."""

from __future__ import annotations

from fastapi import APIRouter

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheAdmin, TheCaller, ThePlatform
from nsml_server.api.schemas import NewUser
from nsml_server.services import accounts, views
from nsml_server.version import VERSION

router = APIRouter(tags=["platform"])


@router.get("/platform")
def show_platform(platform: ThePlatform) -> Json:
    """Version, machines, defaults and limits; needs no login."""
    with platform.database.read() as tx:
        return Json(views.platform(platform, tx, VERSION))


@router.get("/me")
def show_me(caller: TheCaller) -> Json:
    """Whose token this is."""
    return Json(views.caller(caller))


@router.post("/users", status_code=201)
def add_user(platform: ThePlatform, _: TheAdmin, asked: NewUser) -> Json:
    """Add a person; the token is shown this once. Administrators only."""
    with platform.database.write() as tx:
        user, token = accounts.create_user(tx, asked.name, admin=asked.admin, now=platform.now())
        answer = {"user": user.name, "token": token}
    return Json(answer, 201)


@router.post("/login-links", status_code=201)
def make_login_link(platform: ThePlatform, caller: TheCaller) -> Json:
    """An address that logs a browser in, once and within a few minutes."""
    with platform.database.write() as tx:
        url = accounts.make_login_link(tx, caller, platform.settings.public_url, platform.now())
    return Json({"url": url, "expires_in": int(accounts.LOGIN_LINK)}, 201)
