"""What a route may ask for: the platform, and who is calling."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from nsml_server.errors import Forbidden, Unauthenticated
from nsml_server.services import accounts
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform

_SCHEME = "bearer "


def platform_of(request: Request) -> Platform:
    """The platform this application was made with."""
    platform: Platform = request.app.state.platform
    return platform


ThePlatform = Annotated[Platform, Depends(platform_of)]


def bearer_token(authorization: Annotated[str, Header()] = "") -> str:
    """The token of the request. Raises Unauthenticated when there is none."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated()
    return authorization[len(_SCHEME) :].strip()


BearerToken = Annotated[str, Depends(bearer_token)]


def caller_of(platform: ThePlatform, token: BearerToken) -> Caller:
    """The person whose token came with the request. Raises Unauthenticated."""
    with platform.database.read() as tx:
        return accounts.authenticate(tx, token, platform.now())


TheCaller = Annotated[Caller, Depends(caller_of)]


def admin_of(caller: TheCaller) -> Caller:
    """The same, for administrators only. Raises Forbidden."""
    if not caller.admin:
        raise Forbidden("Only an administrator of this platform may do that.")
    return caller


TheAdmin = Annotated[Caller, Depends(admin_of)]
IdempotencyKey = Annotated[str | None, Header()]
