"""The pages as people see them: a real browser looks while programs run, and nothing complains."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

KIN = Path(__file__).parents[2] / "examples/kin"
pytestmark = pytest.mark.browser

# Its values are small and their name is long.
LONG_NAME = """
import nsml

nsml.bind(save=lambda path: open(path + "/model", "w").close())
for step in range(1, 11):
    nsml.report(step=step, summary=True, loss=1 / step, **{"x" * 60: step * 1e-7})
nsml.save("last")
"""


@pytest.fixture(scope="module")
def trained(platform: Any) -> str:
    """A trained session of examples/kin whose first checkpoint is on the board."""
    platform.ctl("dataset", "push", "kin_phase1", str(KIN / "dataset"), "-l", "--metric", "accuracy")
    name: str = platform.json("run", "-d", "kin_phase1", "main.py", "-a", "--epochs 3", cwd=KIN)["name"]
    assert platform.wait_for(name)["state"] == "exited"
    platform.ctl("submit", name, platform.json("model", "ls", name)["checkpoints"][0]["name"])
    return name


def test_the_board_moves_by_itself_when_a_score_lands(page: Any, platform: Any, trained: str) -> None:
    page.goto("/leaderboard/kin_phase1")
    row = page.locator("tr[data-key='mina']")
    count = int(row.locator(".count").inner_text())
    platform.ctl("submit", trained)
    expect(row.locator(".count")).to_have_text(str(count + 1))
    expect(row.locator(".score")).to_have_text(re.compile(r"^0\.\d{6}$"))
    expect(page.get_by_role("status")).to_contain_text("mina")


def test_a_session_page_fills_while_the_program_runs(mine: Any, platform: Any, trained: str) -> None:
    name = platform.json("run", "-d", "kin_phase1", "main.py", "-a", "--epochs 4", cwd=KIN)["name"]
    mine.goto(f"/session/{name}")
    expect(mine.locator("#log")).to_contain_text("epoch")
    mine.wait_for_selector("figure.chart canvas")
    mine.wait_for_selector("#session-state .badge.good")
    mine.wait_for_selector("#session-checkpoints tbody tr:nth-child(4)")
    # The log arrived in pieces, each once: what the page shows is what the program wrote.
    expect(mine.locator("#log")).to_have_text(platform.ctl("logs", name).stdout)


def test_a_checkpoint_is_submitted_from_the_page_and_its_score_appears(mine: Any, trained: str) -> None:
    mine.goto(f"/session/{trained}")
    before = mine.locator("#session-submissions tbody tr").count()
    mine.locator("#session-checkpoints button").first.click()
    expect(mine.locator("#session-submissions tbody tr")).to_have_count(before + 1)
    mine.wait_for_selector("#session-submissions tbody tr:first-child .badge.good")
    mine.locator("#session-submissions tbody tr:first-child a").click()
    mine.wait_for_url("**/submission/*")
    assert mine.locator(".bigscore").is_visible()


def test_charts_can_be_smoothed_and_turned_to_time(mine: Any, trained: str) -> None:
    mine.goto(f"/session/{trained}")
    mine.wait_for_selector("figure.chart canvas")
    mine.locator("input[name=smoothing]").fill("0.9")
    assert mine.locator("#chart-controls output").inner_text() == "0.90"
    for axis in ("relative", "time", "step"):
        mine.locator("select[name=axis]").select_option(axis)
        assert mine.locator("figure.chart canvas").first.is_visible()


def test_a_memo_is_kept(mine: Any, trained: str) -> None:
    mine.goto(f"/session/{trained}")
    mine.fill("#memo-text", "<b>bold</b> try")
    with mine.expect_response("**/memo"):
        mine.get_by_role("button", name="Keep").click()
    mine.reload()
    assert mine.locator("#memo-text").input_value() == "<b>bold</b> try"


@pytest.mark.parametrize(
    "path", ["/", "/leaderboard/kin_phase1", "/sessions", "/status", "/session/{}", "/submission/1"]
)
@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_its_screen(mine: Any, trained: str, path: str, width: int) -> None:
    mine.set_viewport_size({"width": width, "height": 800})
    mine.goto(path.format(trained))
    assert mine.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_long_name_of_a_value_breaks_and_nothing_is_scrolled_sideways(
    mine: Any, platform: Any, trained: str, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(LONG_NAME)
    name = platform.json("run", "-d", "kin_phase1", "main.py", cwd=tmp_path)["name"]
    assert platform.wait_for(name)["state"] == "exited"
    mine.set_viewport_size({"width": 360, "height": 800})
    for path in (f"/session/{name}", "/sessions", "/status"):
        mine.goto(path)
        assert path == "/status" or mine.get_by_text("x" * 60).first.is_visible()
        wide = "element => element.scrollWidth > element.clientWidth + 1"
        assert not mine.evaluate(f"[document.documentElement, ...document.querySelectorAll('.scroll')].some({wide})")
    mine.goto(f"/session/{name}")
    mine.wait_for_selector("figure.chart canvas")
    room = "name => document.querySelector(`figure[data-name='${name}'] .u-over`).offsetLeft"
    assert mine.evaluate(room, "x" * 60) > mine.evaluate(room, "loss"), "the numbers of its axis are longer"


def test_the_keyboard_reaches_the_content_first(page: Any, trained: str) -> None:
    page.goto("/leaderboard/kin_phase1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_korean_is_one_press_away_and_stays(page: Any, trained: str) -> None:
    page.goto("/leaderboard/kin_phase1")
    page.get_by_role("link", name="한국어").click()
    expect(page.locator("thead th").first).to_have_text("순위")
    page.goto("/")
    assert page.locator("h1").inner_text() == "대회"
