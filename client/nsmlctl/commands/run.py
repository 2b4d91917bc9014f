"""`nsmlctl run`: the folder goes up, a session starts."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import Bytes, GoCommand, ProgramArguments, examples, historic, json_option
from nsmlctl.commands.starting import conclude_start, start
from nsmlctl.errors import BadUsage, Failed
from nsmlctl.folder import hint_about_size, read_folder, upload_folder
from nsmlctl.following import follow_log
from nsmlctl.ignore import DEFAULT
from nsmlctl.manifest import Manifest
from nsmlctl.output import size_text, tell
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.workplace import Workplace, pass_workplace

Json = dict[str, Any]


def _show_ignored(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(DEFAULT, nl=False)
        ctx.exit()


def _only_one(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> str | None:
    if len(names) > 1:
        raise BadUsage(
            f"A session runs beside one dataset, not beside {' and '.join(names)}.",
            "Push what belongs together as one dataset: each part a folder of it.",
        )
    return names[0] if names else None


@click.command(
    cls=GoCommand,
    epilog=examples(
        "nsmlctl run -d kin_phase1",
        'nsmlctl run -d kin_phase1 main.py -a "--epochs 3 --lr 0.01" -m "first try"',
        "nsmlctl run -d kin_phase1 -g 0 -c 2 --memory 4G -i",
    ),
)
@click.argument("script", required=False)
@click.option(
    "-d", "--dataset", multiple=True, callback=_only_one,
    help="The dataset to run beside; without it the session has none.",
)  # fmt: skip
@click.option("-e", "--entry", help="The program to start, the same as SCRIPT.  [default: main.py]")
@click.option("-a", "--args", default="", type=ProgramArguments(), help="Arguments for the program, as one text.")
@click.option("-m", "--memo", default="", help="A description.")
@click.option("-g", "--gpus", type=click.IntRange(0), help="GPUs.  [default: 1 where the platform has any, else 0]")
@click.option("-c", "--cpus", "--cpu", type=click.IntRange(1), help="CPU cores.  [default: 1]")
@click.option("--memory", type=Bytes(), help="Memory, like 12G.")
@click.option("--shm-size", "shm", type=Bytes(), help="Size of /dev/shm, like 1G.")
@click.option("--gpu-model", help="Only GPUs of this model, like P40; several with commas.")
@click.option("--gpu-driver-version", "gpu_driver", help="Only machines with this driver or a newer one, like 418.67.")
@click.option("--node", help="Only this machine; for an admin.")
@click.option("-i", "--interactive", is_flag=True, help="Follow the log, and remove the session when it is over.")
@click.option(
    "--show-default-nsmlignore", is_flag=True, is_eager=True, expose_value=False, callback=_show_ignored,
    help="Print what is never uploaded unless .nsmlignore takes it back.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="List the files that go up.")
@click.option("--hide-client-log", is_flag=True, help="Print the session's line only.")
@historic(
    "--nfs-output", sentence="--nfs-output: there is no shared folder here; what is to stay is kept with nsml.save."
)
@historic(
    "-n",
    "--nodes",
    takes_value=True,
    sentence="--nodes: a session runs on one machine; more GPUs of it are had with -g.",
)
@historic("--esm", takes_value=True, sentence="--esm: has no meaning on this platform.")
@json_option
@pass_workplace
def command(
    place: Workplace,
    /,
    script: str | None,
    entry: str | None,
    interactive: bool,
    verbose: bool,
    hide_client_log: bool,
    as_json: bool,
    **wish: Any,
) -> None:
    """Upload this folder and start a session.

    The folder goes up without what .nsmlignore lists (the rules of .gitignore). Only what the server does not have yet is sent.
    """
    api = place.api()
    manifest = read_folder(place, place.folder)
    wish["entry"] = choose_entry(script, entry, manifest)
    if wish["dataset"] is not None:
        warn(wish["entry"], manifest)
    if verbose:
        tell("".join(f"{file.path} {size_text(file.size)}\n" for file in manifest.entries).rstrip())
    _upload(api, place, manifest, wish["dataset"])
    wish["code"] = manifest.to_tree()
    session = start(api, place, lambda: api.create_session(wish, key=str(uuid.uuid4())))
    conclude_start(session, as_json and not interactive, tell_next=not hide_client_log)
    if interactive:
        _accompany(api, place, session)


def warn(entry: str, manifest: Manifest) -> None:
    """What a submit would miss, told now instead of after a training."""
    from nsmlctl.advice import advise, read_programs

    for sentence in advise(entry, read_programs(manifest)):
        tell(f"Warning: {sentence}")


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
