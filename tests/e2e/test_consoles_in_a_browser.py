"""What a session's page does with a live program: its console, its model, its forks, its files."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
PROGRAM = """
import argparse, os, time
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--wait", type=int, default=0)
config = parser.parse_args()
weight = 3


def save(path):
    with open(os.path.join(path, "weight"), "w") as file:
        file.write(str(weight))


def load(path):
    pass


nsml.bind(save=save, load=load, infer=lambda rows: [weight * len(row) for row in rows])
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    nsml.save("best")
    os.makedirs("plots")
    with open("plots/loss.csv", "w") as file:
        file.write("1,0.5\\n")
    nsml.report(step=1, scope=locals())
    until = time.time() + config.wait
    while time.time() < until and weight:
        time.sleep(0.02)
print("weight is", weight)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program")
    (path / "main.py").write_text(PROGRAM)
    return path


@pytest.fixture(scope="module")
def trained(platform: Any, folder: Path) -> str:
    """A session that has ended, with a checkpoint and a file."""
    name: str = platform.json("run", cwd=folder)["name"]
    assert platform.wait_for(name)["state"] == "exited"
    return name


def ask(page: Any, code: str) -> Any:
    """Type a line into the console; the newest answer stands first. Nothing is sent before the last answer is there."""
    expect(page.get_by_role("button", name="Evaluate")).to_be_enabled()
    said, before = page.locator(".said"), page.locator(".said").count()
    page.fill("#console-code", code)
    page.press("#console-code", "Enter")
    expect(said).to_have_count(before + 1)
    return said.first


def test_the_console_reads_and_changes_a_training_that_goes_on(
    mine: Any, platform: Any, folder: Path, wait_until: Any
) -> None:
    name = platform.json("run", "-a", "--wait 600", cwd=folder)["name"]
    mine.goto(f"/session/{name}")
    expect(mine.locator("#session-checkpoints tbody tr")).to_have_count(1)
    # The checkpoint is there a moment before the scope is.
    wait_until(lambda: "42" in ask(mine, "weight * 14").inner_text(), lambda: platform.ctl("logs", name).stdout)
    expect(mine.locator(".said .answer").first).to_have_text("42")
    expect(mine.locator("#console-code")).to_have_value("")
    assert "<b>bold" in ask(mine, "'<b>bold</b>'").inner_text()
    assert "NameError" in ask(mine, "nothing_of_this_name").inner_text()
    ask(mine, "weight = 0")
    mine.wait_for_selector("#session-state .badge.good")
    # The field goes with the program; what was said stays.
    expect(mine.locator("#console-code")).to_have_count(0)
    assert "42" in mine.locator("#console-said").inner_text()
    assert "weight is 0" in platform.ctl("logs", name).stdout


SEND_CONSOLE_AGAIN = """
async () => {
  const page = new DOMParser().parseFromString(await (await fetch(location)).text(), "text/html");
  const part = page.getElementById("session-console").innerHTML;
  htmx.swap("#session-console", part, { swapStyle: "innerHTML" });
}
"""


def test_what_is_being_typed_survives_the_part_being_sent_again(mine: Any, platform: Any, folder: Path) -> None:
    name = platform.json("run", "-a", "--wait 600", cwd=folder)["name"]
    mine.goto(f"/session/{name}")
    expect(mine.locator("#session-checkpoints tbody tr")).to_have_count(1)
    mine.fill("#console-code", "half a line")
    mine.evaluate(SEND_CONSOLE_AGAIN)  # as after a lost connection
    assert mine.input_value("#console-code") == "half a line"
    assert mine.evaluate("document.activeElement.id") == "console-code"
    platform.ctl("stop", name)


def test_an_answer_frees_the_field_though_the_part_was_sent_again_meanwhile(
    mine: Any, platform: Any, folder: Path
) -> None:
    name = platform.json("run", "-a", "--wait 600", cwd=folder)["name"]
    mine.goto(f"/session/{name}")
    expect(mine.locator("#session-checkpoints tbody tr")).to_have_count(1)
    held: list[Any] = []
    mine.route("**/console", lambda route: held.append(route))
    mine.fill("#console-code", "weight")
    with mine.expect_request("**/console"):
        mine.press("#console-code", "Enter")
    mine.evaluate(SEND_CONSOLE_AGAIN)  # as when the session's state changes
    held[0].continue_()
    expect(mine.locator(".said")).to_have_count(1)
    expect(mine.locator("#console-code")).to_have_value("")
    platform.ctl("stop", name)


def test_a_model_is_served_from_the_page_and_asked_there(mine: Any, trained: str) -> None:
    mine.goto(f"/session/{trained}")
    mine.get_by_text("Fork it with other arguments").click()
    mine.get_by_role("button", name="Serve the model").click()
    mine.wait_for_selector("#infer-body")
    assert mine.locator(f'a[href="/session/{trained}"]').count() >= 1
    expect(mine.locator("#session-state .badge")).to_have_text("Paused")
    mine.fill("#infer-body", '[[1, 2], "abc"]')
    mine.get_by_role("button", name="Ask the model").click()
    expect(mine.locator(".said .answer")).to_have_text(re.compile(r"\[\s*6,\s*9\s*\]"))
    mine.on("dialog", lambda dialog: dialog.accept())
    mine.get_by_role("button", name="Stop").click()
    expect(mine.locator("#infer-body")).to_have_count(0)


def test_a_fork_begins_on_the_page_and_is_listed_where_it_came_from(mine: Any, trained: str) -> None:
    mine.goto(f"/session/{trained}")
    mine.get_by_text("Fork it with other arguments").click()
    form = mine.locator("form.wish")
    form.locator("[name=checkpoint]").fill("best")
    form.locator("[name=args]").fill("--wait 0")
    form.locator("[name=memo]").fill("again")
    form.get_by_role("button", name="Fork").click()
    mine.wait_for_selector(".chip:has-text('normal/fork')")
    child = mine.locator("h1").inner_text()
    mine.goto(f"/session/{trained}")
    assert child in mine.locator("section:has(#family-title)").inner_text()


def test_a_checkpoint_is_rehearsed_from_the_page(mine: Any, platform: Any, folder: Path) -> None:
    kin = Path(__file__).parents[2] / "examples/kin"
    platform.ctl("dataset", "push", "kin_phase1", str(kin / "dataset"), "-l", "--metric", "accuracy")
    name = platform.json("run", "-d", "kin_phase1", "main.py", "-a", "--epochs 1", cwd=kin)["name"]
    platform.wait_for(name)
    mine.goto(f"/session/{name}")
    mine.get_by_role("button", name="Rehearse").first.click()
    row = mine.locator("#session-submissions tbody tr").first
    expect(row).to_contain_text("rehearsal")
    expect(row.locator(".badge")).to_have_text("Scored")
    row.locator("a").click()
    mine.wait_for_url("**/submission/*")
    expect(mine.locator("pre.rehearsal")).to_contain_text("model loaded")
    mine.goto("/leaderboard/kin_phase1")
    assert "mina" not in mine.locator("main").inner_text()


def test_files_that_the_program_wrote_are_downloaded_and_code_is_shown(mine: Any, trained: str) -> None:
    mine.goto(f"/session/{trained}")
    with mine.expect_download() as begun:
        mine.get_by_role("link", name="plots/loss.csv").click()
    assert Path(begun.value.path()).read_text() == "1,0.5\n"
    mine.get_by_text("The files that were uploaded").click()
    mine.get_by_role("link", name="main.py").click()
    expect(mine.locator("body")).to_contain_text("nsml.bind")


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_of_a_family_is_wider_than_its_screen(mine: Any, trained: str, width: int) -> None:
    mine.set_viewport_size({"width": width, "height": 800})
    mine.goto(f"/session/{trained}")
    for summary in mine.locator("details.files > summary").all():
        summary.click()
    assert mine.evaluate("document.documentElement.scrollWidth") <= width
