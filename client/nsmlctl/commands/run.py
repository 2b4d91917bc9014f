"""`nsmlctl run`: the folder goes up, a session starts."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import Bytes, examples, json_option
from nsmlctl.config import remember_dataset
from nsmlctl.errors import BadUsage, CutOff, Failed
from nsmlctl.folder import hint_about_size, read_folder, upload_folder
from nsmlctl.following import follow_log, wait_for_start
from nsmlctl.ignore import DEFAULT
from nsmlctl.interrupts import held_interrupt
from nsmlctl.manifest import Manifest
from nsmlctl.output import echo, echo_json, tell, waiting_text
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.workplace import Workplace, pass_workplace

Json = dict[str, Any]


def _show_ignored(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(DEFAULT, nl=False)
        ctx.exit()


@click.command(
    epilog=examples(
        "nsmlctl run -d kin_phase1",
        'nsmlctl run -d kin_phase1 main.py -a "--epochs 3 --lr 0.01" -m "first try"',
        "nsmlctl run -d kin_phase1 -g 0 -c 2 --memory 4G -i",
    )
)
@click.argument("script", required=False)
@click.option("-d", "--dataset", help="The dataset to run beside; without it the session has none.")
@click.option("-e", "--entry", help="The program to start, the same as SCRIPT.  [default: main.py]")
@click.option("-a", "--args", default="", help="Arguments for the program, as one text.")
@click.option("-m", "--memo", default="", help="A description.")
@click.option("-g", "--gpus", type=click.IntRange(0), help="GPUs.  [default: 1 where the platform has any, else 0]")
@click.option("-c", "--cpus", "--cpu", type=click.IntRange(1), help="CPU cores.  [default: 1]")
@click.option("--memory", type=Bytes(), help="Memory, like 12G.")
@click.option("--shm-size", "shm", type=Bytes(), help="Size of /dev/shm, like 1G.")
@click.option("-i", "--interactive", is_flag=True, help="Follow the log, and remove the session when it is over.")
@click.option(
    "--show-default-nsmlignore", is_flag=True, is_eager=True, expose_value=False, callback=_show_ignored,
    help="Print what is never uploaded unless .nsmlignore takes it back.",
)  # fmt: skip
@json_option
@pass_workplace
def command(
    place: Workplace, /, script: str | None, entry: str | None, interactive: bool, as_json: bool, **wish: Any
) -> None:
    """Upload this folder and start a session.

    The folder goes up without what .nsmlignore lists (the rules of .gitignore). Only what the server does not have yet is sent.
    """
    api = place.api()
    manifest = read_folder(place, place.folder)
    wish["entry"] = choose_entry(script, entry, manifest)
    _upload(api, place, manifest, wish["dataset"])
    session = _start(api, place, {**wish, "code": manifest.to_tree()})
    if as_json and not interactive:
        echo_json(session)
    else:
        _announce(session)
    if session["final"] and session["state"] == "failed":
        raise Failed(f"Session {session['name']} failed: {session.get('message') or session.get('reason')}")
    if interactive:
        _accompany(api, place, session)


def choose_entry(script: str | None, entry: str | None, manifest: Manifest) -> str:
    """The program to start, as a path in the manifest.

    Raises:
        BadUsage: two were given, or the file does not go up.
    """
    if script and entry and script != entry:
        raise BadUsage(f"Which one is the program: '{script}' or '{entry}'?", "Give it once, at the end or with -e.")
    chosen = posixpath.normpath(script or entry or "main.py")
    if not manifest.has(chosen):
        raise BadUsage(
            f"{chosen}: there is no such file in this folder, or .nsmlignore leaves it out.",
            _instead_of(chosen, [file.path for file in manifest.entries]),
        )
    return chosen


def _instead_of(chosen: str, paths: list[str]) -> str:
    import difflib

    programs = [path for path in paths if path.endswith(".py")]
    if near := difflib.get_close_matches(chosen, programs, n=1):
        return f"Did you mean {near[0]}?"
    if programs:
        return f"Programs here: {', '.join(programs[:5])}{', …' if len(programs) > 5 else ''}."
    return "There is no program here: go to its folder first."


def _upload(api: Api, place: Workplace, manifest: Manifest, dataset: str | None) -> None:
    hint_about_size(manifest)
    if dataset is not None:
        api.dataset(dataset)  # a mistyped name is told before anything is sent
    try:
        upload_folder(api, place, place.folder, manifest, api.platform().get("limits") or {})
    except KeyboardInterrupt:
        tell("\nThe upload was interrupted: no session was made.")
        raise


def _start(api: Api, place: Workplace, wish: Json) -> Json:
    """The session once it runs or says why not; Ctrl-C leaves it, by name."""
    session: Json | None = None
    try:
        with held_interrupt():
            session = api.create_session(wish, key=str(uuid.uuid4()))
        if wish["dataset"]:
            remember_dataset(place.home, place.folder, wish["dataset"])
        return wait_for_start(api, _reference(session), session, place.pause)
    except CutOff as error:
        error.hint = "Whether the session was made is not known: `nsmlctl ps` tells."
        raise
    except KeyboardInterrupt:
        if session is not None:
            tell(f"\nSession {session['name']} was made and goes on. To stop it: nsmlctl stop {session['name']}")
        raise


def _announce(session: Json) -> None:
    name, waiting = session["name"], waiting_text(session)
    if session.get("started_at"):
        echo(f"Session {name} is started")
    elif waiting:
        echo(f"Session {name} is queued: {waiting}")
    else:
        echo(f"Session {name} is {str(session['status']).lower()}")
    short = "/".join(name.split("/")[1:])
    echo(f"  {session['url']}")
    echo(f"Next:  nsmlctl logs -f {short}   |   nsmlctl model ls {short}   |   nsmlctl submit {short}")


def _accompany(api: Api, place: Workplace, session: Json) -> None:
    """To its end, then it is removed."""
    reference = _reference(session)
    try:
        follow_log(api, reference, lambda chunk: click.echo(chunk, nl=False), place.pause)
    except KeyboardInterrupt:
        tell(f"\nSession {session['name']} goes on and is kept. To stop it: nsmlctl stop {session['name']}")
        raise
    ended = api.session(reference)
    api.remove_session(reference)
    tell(f"Session {session['name']}: {ended['status']}; removed.")
    if ended["state"] == "failed":
        raise Failed(f"It failed: {ended.get('message') or ended.get('reason')}")


def _reference(session: Json) -> SessionReference:
    return parse_session(str(session["name"]))
