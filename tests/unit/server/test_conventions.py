"""What a program's source shows: whether it can go on from a checkpoint, and what it lacks to be submitted."""

import pytest

from nsml_server.domain.conventions import can_go_on, read_sources, say_untouched, say_what_to_add

ARGPARSE = "p.add_argument('--mode'); p.add_argument('--pause'); p.add_argument('--iteration')"
CALLS = "import nsml\nnsml.bind(save=s, load=l, infer=i)\nif args.pause:\n    nsml.paused(scope=locals())\n"


@pytest.mark.parametrize(
    "source",
    [
        f"{CALLS}{ARGPARSE}",
        f"{CALLS}p.add_argument('--pause'); p.parse_known_args()",
        f"{CALLS}def train(mode='train', pause=0, iteration='0'): pass\nfire.Fire(train)",
        f"{CALLS}flags.DEFINE_string('mode', 'train', ''); flags.DEFINE_integer('pause', 0, ''); "
        "flags.DEFINE_string('iteration', '0', '')",
        f"{CALLS}@click.option('--pause')\n@click.option('--iteration')\ndef main(pause, iteration): pass",
        f"from nsml import *\npaused()\n{ARGPARSE}",
        f"from nsml import paused\npaused()\n{ARGPARSE}",
        f"import nsml as n\nn.paused()\n{ARGPARSE}",
    ],
)
def test_programs_that_can_go_on_from_a_checkpoint(source: str) -> None:
    assert can_go_on(read_sources([source]))


@pytest.mark.parametrize(
    "source",
    [
        "",
        CALLS,
        ARGPARSE,
        f"import nsml\nnsml.bind()\n{ARGPARSE}",
        f"{CALLS}p.add_argument('--mode'); p.add_argument('--pause'); p.parse_args()",
        f"{CALLS}p.add_argument('--iteration')",
        f"{CALLS}{ARGPARSE}\nprint 'Python 2'",
        "(" * 2000,
    ],
)
def test_programs_that_cannot(source: str) -> None:
    assert not can_go_on(read_sources([source]))


def test_what_one_file_calls_and_another_reads_counts_together() -> None:
    assert can_go_on(read_sources([CALLS, ARGPARSE]))


def test_a_file_that_cannot_be_parsed_proves_nothing() -> None:
    seen = read_sources(["print 'Python 2'"])
    assert not can_go_on(seen)
    assert say_untouched(seen).startswith("Call `nsml.bind(...)`, then")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("print(1)", "It never calls `nsml.bind` nor `nsml.paused`"),
        ("import nsml\nnsml.bind()", "It never calls `nsml.paused`"),
        ("import nsml\nnsml.bind()\nnsml.paused()", "It does not know the argument `--pause`"),
        (f"{CALLS}{ARGPARSE}", "outside of `if args.mode == 'train'`"),
    ],
)
def test_what_a_program_lacks_is_named(source: str, said: str) -> None:
    assert said in say_untouched(read_sources([source]))


def test_each_reserved_argument_has_its_line() -> None:
    text = say_what_to_add(["mode", "pause", "iteration"])
    for name in ("--mode", "--pause", "--iteration", "parse_known_args()"):
        assert name in text
