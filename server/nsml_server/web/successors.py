"""Forms that begin a session where another one stood, and lead to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Response

from nsml_server.errors import Invalid
from nsml_server.services import forks, sessions, specs
from nsml_server.services.forks import Wish
from nsml_server.services.sessions import Resources
from nsml_server.web import readings
from nsml_server.web.addresses import SESSION, Named
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import FormChecked, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Field = Annotated[str, Form()]


class WishForm:
    """What the form for a new session holds; a field left empty means: as before."""

    def __init__(
        self,
        checkpoint: Field = "",
        args: Field = "",
        gpus: Field = "",
        image: Field = "",
        memo: Field = "",
        once: Field = "",
    ) -> None:
        self.checkpoint, self.image = checkpoint.strip() or None, image.strip() or None
        self.args, self.memo, self.once = args.strip(), memo.strip(), once
        self.resources = Resources(_read_count(gpus), None, None, None)

    @property
    def fork(self) -> Wish:
        """For a training."""
        return Wish(self.checkpoint, self.args, memo=self.memo, image=self.image, resources=self.resources)

    @property
    def serve(self) -> Wish:
        """For an inference: its program takes the arguments it was trained with."""
        return Wish(self.checkpoint, memo=self.memo, resources=self.resources)


Wished = Annotated[WishForm, Depends()]


@router.post(f"{SESSION}/fork")
def fork(visit: FormChecked, name: Named, form: Wished) -> Response:
    """Train on from a checkpoint."""
    with visit.platform.database.write() as tx:
        origin = sessions.find(tx, visit.login, *name, None)
        made = forks.fork(visit.platform, tx, visit.login, origin, form.fork, _key("fork", form.once))
        return _lead_to(visit, str(specs.name_of(made)))


@router.post(f"{SESSION}/infer")
def serve(visit: FormChecked, name: Named, form: Wished) -> Response:
    """Load a checkpoint and keep it ready to answer."""
    with visit.platform.database.write() as tx:
        origin = sessions.find(tx, visit.login, *name, None)
        made = forks.serve(visit.platform, tx, visit.login, origin, form.serve, _key("infer", form.once))
        return _lead_to(visit, str(specs.name_of(made)))


@router.post(f"{SESSION}/resume")
def resume(visit: FormChecked, name: Named, once: Field = "") -> Response:
    """Let an ended session go on."""
    with visit.platform.database.write() as tx:
        origin = sessions.find(tx, visit.login, *name, None)
        made = forks.resume(visit.platform, tx, visit.login, origin, _key("resume", once))
        return _lead_to(visit, str(specs.name_of(made)))


def _lead_to(visit: Visit, name: str) -> Response:
    address = readings.address_of(name)
    if not visit.is_partial:
        return visit.go(address)
    return visit.with_cookies(Response(status_code=204, headers={"HX-Redirect": address}))


def _key(verb: str, once: str) -> str | None:
    return f"page-{verb}-{once}"[:200] if once else None


def _read_count(text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise Invalid(f"{text[:20]} is no number of GPUs.", hint="Write one, or leave the field empty.")
    return int(text)
