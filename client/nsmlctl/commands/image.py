"""`nsmlctl image`: what the name of an image means here, for whoever looks after the platform."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoGroup, examples, json_option
from nsmlctl.output import IMAGE_COLUMNS, echo, echo_json, echo_table, image_row
from nsmlctl.workplace import Workplace, pass_workplace


@click.group(cls=GoGroup, epilog=examples("nsmlctl image ls"))
def command() -> None:
    """Decide what the names of images mean."""


@command.command(epilog=examples("nsmlctl image ls", "nsmlctl image ls -j"))
@json_option
@pass_workplace
def ls(place: Workplace, as_json: bool) -> None:
    """List the image table: the first name that fits is taken."""
    images = place.api().images()
    if as_json:
        echo_json({"images": images})
    else:
        echo_table(IMAGE_COLUMNS, [image_row(image) for image in images])


@command.command(
    epilog=examples(
        "nsmlctl image add 'our/baseline:*' runtime:tf1",
        "nsmlctl image add tf1 python:/opt/tf1/bin/python",
        "nsmlctl image add 'nvcr.io/nvidia/pytorch:*' alias:torch1 --note 'A current torch instead.'",
    )
)
@click.argument("name")
@click.argument("target")
@click.option("--note", default="", help="A sentence for the participant who names it.")
@json_option
@pass_workplace
def add(place: Workplace, name: str, target: str, note: str, as_json: bool) -> None:
    """Say what the image NAME is.

    TARGET is runtime:NAME (default, tf1, tf1.5, keras2, torch1, torch1.1 or tf1-on-2), python:/path/to/python, docker:REFERENCE or alias:NAME.
    `*` and `?` in NAME fit many names. Needs an admin's login.
    """
    image = place.api().put_image(name, {"target": target, "note": note})
    if as_json:
        echo_json(image)
    else:
        echo(f"Image {name} is {target}")


@command.command(epilog=examples("nsmlctl image rm tf1", "nsmlctl image rm 'nvcr.io/nvidia/pytorch:*'"))
@click.argument("name")
@json_option
@pass_workplace
def rm(place: Workplace, name: str, as_json: bool) -> None:
    """Take a row out of the image table. Needs an admin's login."""
    place.api().remove_image(name)
    if as_json:
        echo_json({"removed": [name]})
    else:
        echo(f"Image {name} is removed")
