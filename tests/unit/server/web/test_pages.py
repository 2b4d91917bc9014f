"""The pages: what they show, to whom, and that nothing a stranger wrote is taken for markup."""

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from blake3 import blake3
from fastapi.testclient import TestClient
from sqlalchemy import delete

from nsml_server.domain.placement import Wait
from nsml_server.domain.states import RunState
from nsml_server.services import datasets, views
from nsml_server.storage.repositories import manifests, products
from nsml_server.storage.tables import Best, Checkpoint, Dataset, Node, Run, RunUse, Session, Submission, User
from nsml_server.web import logtext
from nsml_server.web.readings import steps_of
from nsml_worker.contract import FileEntry, Tree

PUBLIC = ["/", "/leaderboard/kin", "/login", "/enter/some-code", "/status"]
OWN = ["/sessions", "/session/mina/kin/1", "/submission/1"]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


class Tags(HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("path", PUBLIC)
def test_anybody_may_see_what_is_public(stranger: TestClient, path: str, language: str) -> None:
    answer = stranger.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("path", [*PUBLIC, *OWN])
def test_a_participant_sees_the_pages_of_their_own(mina: TestClient, path: str, language: str) -> None:
    answer = mina.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", [*OWN, "/session/mina/kin/1/metrics", "/session/mina/kin/1/log", "/leaderboard/kin?mine=1"]
)
def test_without_a_login_one_is_led_to_it_and_back(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=/")


@pytest.mark.parametrize("rest", ["", "/metrics", "/log", "/live", "/code/model"])
def test_somebody_else_s_session_is_not_there(juno: TestClient, rest: str) -> None:
    assert juno.get(f"/session/mina/kin/1{rest}").status_code == 404


@pytest.mark.parametrize("path", ["/submission/1", "/submission/1/live", "/submission/99", "/submission/x", "/leaderboard/none",
                                  "/leaderboard/none/live", "/session/juno/kin/1", "/session/juno/kin/one", "/nowhere"])  # fmt: skip
def test_what_is_not_one_s_own_looks_like_what_does_not_exist(juno: TestClient, path: str) -> None:
    answer = juno.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "mina" not in answer.text


def test_programs_get_no_page_for_an_address_that_is_not_there(stranger: TestClient) -> None:
    assert stranger.get("/api/v1/nowhere").headers["content-type"] == "application/json"
    assert stranger.get("/nowhere", headers={"Accept": "*/*"}).headers["content-type"] == "application/json"


def test_what_a_session_uses_is_shown_while_it_runs(site: Any, mina: TestClient) -> None:
    assert "In use now" not in mina.get("/session/mina/kin/1").text
    sample = {"memory": 2_500_000, "cpu": 0.75, "gpu_utilisation": [40]}
    with site.platform.database.write() as tx:
        tx.add(RunUse(run_id=1, attempt=0, sampled_at=0.0, sample=sample, idle={}))
    assert "2.5 MB · 0.8 CPU · GPU 0: 40 %" in mina.get("/session/mina/kin/1").text
    site.change(Run, 1, state=RunState.EXITED)
    assert "In use now" not in mina.get("/session/mina/kin/1").text


def test_the_board_names_metric_order_and_who_is_where(stranger: TestClient) -> None:
    text = stranger.get("/leaderboard/kin").text
    for shown in ("accuracy", "higher is better", "mina", "0.834685", "mina/kin/1"):
        assert shown in text
    assert 'class="own"' not in text
    assert 'href="/session/mina/kin/1"' not in text


def test_one_s_own_rows_stand_out(mina: TestClient, juno: TestClient) -> None:
    assert 'class="own"' in mina.get("/leaderboard/kin").text
    assert 'class="own"' not in juno.get("/leaderboard/kin").text
    assert "0.834685" in mina.get("/leaderboard/kin?mine=1").text
    assert "No score yet." in juno.get("/leaderboard/kin?mine=1").text


def test_a_board_without_scores_says_how_to_get_the_first(site: Any, stranger: TestClient) -> None:
    site.change(Dataset, 1, name="empty")
    with site.platform.database.write() as tx:
        tx.connection().exec_driver_sql("DELETE FROM bests")
    text = stranger.get("/leaderboard/empty").text
    assert "No score yet." in text
    assert "nsmlctl run -d empty main.py" in text


def test_a_dataset_without_a_board_has_no_board_page(site: Any, stranger: TestClient) -> None:
    site.change(Dataset, 1, leaderboard=False)
    assert stranger.get("/leaderboard/kin").status_code == 404
    assert "kin" in stranger.get("/").text


def test_a_dataset_without_a_board_offers_no_submit_and_no_link_to_one(site: Any, mina: TestClient) -> None:
    offered = ('href="/leaderboard/kin"', "/session/mina/kin/1/submit", 'id="submissions-title"')
    assert all(shown in mina.get("/session/mina/kin/1").text for shown in offered)
    with site.platform.database.write() as tx:
        assert views.dataset(site.platform, tx, datasets.find(tx, "kin"))["url"].endswith("/leaderboard/kin")
        tx.execute(delete(Best))
        tx.execute(delete(Submission))
    site.change(Dataset, 1, leaderboard=False)
    text = mina.get("/session/mina/kin/1").text
    assert not [shown for shown in offered if shown in text]
    with site.platform.database.read() as tx:
        url = views.dataset(site.platform, tx, datasets.find(tx, "kin"))["url"]
    assert url == f"{site.platform.settings.public_url}/"


def test_what_ended_without_a_checkpoint_has_none_to_go_on_from(site: Any, mina: TestClient) -> None:
    with site.platform.database.write() as tx:
        tx.execute(delete(Checkpoint))
    assert "/session/mina/kin/1/fork" in mina.get("/session/mina/kin/1").text
    site.change(Run, 1, state="failed")
    assert "/session/mina/kin/1/fork" not in mina.get("/session/mina/kin/1").text


@pytest.mark.parametrize(
    ("state", "phase", "steps"),
    [
        ("failed", "load", ["queued good", "predicting good", "failed bad"]),
        ("failed", None, ["queued good", "failed bad"]),
        ("cancelled", None, ["queued good", "cancelled quiet"]),
        ("scoring", "infer", ["queued good", "predicting good", "scoring active", "scored quiet"]),
    ],
)
def test_a_submission_s_way_is_told_as_far_as_it_came(state: str, phase: str | None, steps: list[str]) -> None:
    assert [f"{step} {tone}" for step, tone in steps_of(state, phase)] == steps


def test_a_session_shows_state_checkpoints_submissions_and_log(site: Any, mina: TestClient) -> None:
    site.write_log(b"epoch 1\nepoch 2\n")
    text = mina.get("/session/mina/kin/1").text
    for shown in ("Running", "main.py", "--epochs 3", "first try", "train/loss", "Submit", "0.834685", "epoch 2"):
        assert shown in text


def test_why_a_session_waits_and_why_it_failed_is_said(site: Any, mina: TestClient) -> None:
    site.change(Run, 1, state="queued")
    site.platform.waits.replace({1: Wait("waits for 1 GPU: 2 of 2 are in use; 4th in line", 4)})
    text = mina.get("/session/mina/kin/1").text
    assert ">waits for 1 GPU: 2 of 2 are in use; 4th in line</p>" in text
    site.change(Run, 1, state="failed", reason="exit_code", message="The program ended with exit code 3.", exit_code=3)
    text = mina.get("/session/mina/kin/1").text
    assert "The program ended with exit code 3." in text
    assert "/stop" not in text


def test_everybody_is_told_when_the_platform_is_for_people_one_trusts(site: Any, stranger: TestClient) -> None:
    warning = "This platform is for people you trust."
    assert warning not in stranger.get("/").text
    with site.platform.database.write() as tx:
        tx.connection().exec_driver_sql(
            "INSERT INTO nodes (name, capacity, connected, seen_at) VALUES "
            """('local', '{"cpus": 2, "memory": 1000000000, "gpus": [], "confinement": "none"}', 1, 1790000000)"""
        )
    for path in PUBLIC:
        assert warning in stranger.get(path).text
    assert "local" in stranger.get("/status").text


def test_a_machine_that_takes_no_work_is_named_with_what_to_look_for(site: Any, stranger: TestClient) -> None:
    now = site.platform.now()
    told = "does not take its work: can it reach the broker?"
    with site.platform.database.write() as tx:
        tx.add(Node(name="rack", capacity={"cpus": 2, "memory": 2**30}, connected=True, seen_at=now, unclaimed=1))
    assert told not in stranger.get("/status").text
    site.change(Node, 1, unclaimed=2, unclaimed_at=now)
    assert f"rack {told}" in stranger.get("/status").text


def test_a_machine_says_whether_it_is_here_away_or_drained(site: Any, stranger: TestClient) -> None:
    now = site.platform.now()
    with site.platform.database.write() as tx:
        tx.add(Node(name="rack", capacity={"cpus": 2, "memory": 2**30}, connected=True, seen_at=now))
    for columns, word in (({}, "Here"), ({"drained": True}, "Drained"), ({"connected": False}, "Away")):
        site.change(Node, 1, **columns)
        assert re.findall(r'<span class="badge \w+">(\w+)</span>', stranger.get("/status").text) == [word]


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        (["docker"], "in containers of their own"),
        (["docker (disks only measured)"], "in containers of their own"),
        (["docker", "user"], "as users of their own"),
        (["user", "none"], "without a sandbox"),
        (["something newer"], "without a sandbox"),
    ],
)
def test_the_status_says_how_programs_are_sealed(site: Any, stranger: TestClient, ways: list[str], said: str) -> None:
    with site.platform.database.write() as tx:
        for way in ways:
            capacity = {"cpus": 2, "memory": 2**30, "confinement": way}
            tx.add(Node(name=way, capacity=capacity, connected=True, seen_at=site.platform.now()))
    assert f"Programs run {said}" in stranger.get("/status").text


@pytest.mark.parametrize("path", ["/", "/leaderboard/kin", "/sessions", "/session/mina/kin/1", "/submission/1"])
def test_nothing_a_person_wrote_becomes_markup(site: Any, mina: TestClient, path: str) -> None:
    site.change(Dataset, 1, description=EVIL, metric=EVIL)
    site.change(User, 1, name=EVIL) if path == "/leaderboard/kin" else None
    site.change(Session, 1, memo=EVIL, args=EVIL, entry=EVIL, image=EVIL)
    site.change(Run, 1, state="failed", reason=EVIL[:32], message=EVIL, summary={EVIL: EVIL}, ended_at=1_790_000_000.0)
    site.change(Checkpoint, 1, name=EVIL, summary={EVIL: EVIL})
    site.change(Submission, 1, state="failed", checkpoint=EVIL, message=EVIL, reason=EVIL[:32], phase=EVIL[:32])
    site.write_log(f"{EVIL}\n".encode())
    html = mina.get(path).text
    tags = Tags(html).found
    assert not [tag for tag, attributes in tags if tag == "script" and "src" not in attributes]
    assert not [tag for tag, attributes in tags if any(name.startswith("on") for name in attributes)]
    assert not [attributes for tag, attributes in tags if tag == "img" and attributes.get("src") == "x"]
    assert "&lt;script&gt;" in html


def test_a_huge_binary_log_stays_small_and_harmless(site: Any, mina: TestClient) -> None:
    site.write_log(bytes(range(256)) * 8192 + "\x1b[31m끝<b>\n".encode())
    html = mina.get("/session/mina/kin/1").text
    assert len(html) < 4 * logtext.TAIL
    assert "끝&lt;b&gt;" in html
    assert "\x1b" not in html
    assert "are left out here" in html


def test_the_whole_log_is_plain_text_and_nothing_else(site: Any, mina: TestClient) -> None:
    site.write_log(EVIL.encode() * 3)
    answer = mina.get("/session/mina/kin/1/log")
    assert answer.content == EVIL.encode() * 3
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox"


def test_a_file_of_the_code_is_plain_text_that_no_browser_runs(site: Any, mina: TestClient) -> None:
    evil = EVIL.encode()
    site.platform.blobs.put(io.BytesIO(evil), blake3(evil).hexdigest())
    tree = Tree((FileEntry("src/<b>.html", len(evil), blake3(evil).hexdigest()),))
    with site.platform.database.write() as tx:
        tx.get_one(Session, 1).code = manifests.save(tx, tree)
    page = mina.get("/session/mina/kin/1").text
    address = re.search(r'href="(/session/mina/kin/1/code/[^"]+)"', page)
    assert address
    answer = mina.get(address.group(1))
    assert answer.content == evil
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert mina.get("/session/mina/kin/1/code/..%2fmain.py").status_code == 404


def test_of_a_folder_with_very_many_files_the_first_are_listed(site: Any, mina: TestClient) -> None:
    with site.platform.database.write() as tx:
        tree = Tree(tuple(FileEntry(f"f{number:05}", 1, "0" * 64) for number in range(2000)))
        tx.get_one(Session, 1).code = manifests.save(tx, tree)
    page = mina.get("/session/mina/kin/1").text
    assert page.count("/code/f") == 500
    assert "and 1500 more" in page


@pytest.fixture
def written(site: Any) -> None:
    """mina's session has ended and left two files, and one that was not kept."""
    files = {"plots/<b>.png": b"\x89PNG", "result.csv": b"1,2\n"}
    for data in files.values():
        site.platform.blobs.put(io.BytesIO(data), blake3(data).hexdigest())
    tree = Tree(tuple(FileEntry(path, len(data), blake3(data).hexdigest()) for path, data in files.items()))
    with site.platform.database.write() as tx:
        products.save(tx, 1, manifests.save(tx, tree), [["<i>big</i>", "too large"]])


@pytest.mark.usefixtures("written")
def test_files_that_a_program_wrote_are_handed_over_and_never_shown(mina: TestClient, juno: TestClient) -> None:
    page = mina.get("/session/mina/kin/1").text
    addresses = re.findall(r'href="(/session/mina/kin/1/files/[^"]+)"', page)
    assert len(addresses) == 2
    assert "&lt;i&gt;big" in page
    assert "too large" in page
    answer = mina.get("/session/mina/kin/1/files/result.csv")
    assert answer.content == b"1,2\n"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert mina.get("/session/mina/kin/1/files/none").status_code == 404
    assert all(juno.get(address).status_code == 404 for address in addresses)


@pytest.mark.usefixtures("written")
def test_files_stay_where_the_organiser_keeps_models_in(site: Any, mina: TestClient) -> None:
    site.change(Dataset, 1, pull_models=False)
    page = mina.get("/session/mina/kin/1").text
    assert "result.csv" in page
    assert "/files/" not in page
    assert "/checkpoints/" not in page
    for path in ("files/result.csv", "checkpoints/3/model"):
        assert mina.get(f"/session/mina/kin/1/{path}").status_code == 403


def test_a_file_of_a_checkpoint_is_handed_over(site: Any, mina: TestClient, juno: TestClient) -> None:
    weights = b"weights"
    site.platform.blobs.put(io.BytesIO(weights), blake3(weights).hexdigest())
    with site.platform.database.write() as tx:
        tree = Tree((FileEntry("sub/<m>", len(weights), blake3(weights).hexdigest()),))
        tx.get_one(Checkpoint, 1).manifest = manifests.save(tx, tree)
    address = re.search(r'href="(/session/mina/kin/1/checkpoints/3/[^"]+)"', mina.get("/session/mina/kin/1").text)
    assert address
    answer = mina.get(address.group(1))
    assert answer.content == weights
    assert answer.headers["content-disposition"].startswith("attachment")
    assert juno.get(address.group(1)).status_code == 404


def test_what_the_platform_notes_on_a_run_is_shown(site: Any, mina: TestClient) -> None:
    site.change(Run, 1, notices=["Checkpoint 4 was not kept: <b>too large</b>."])
    assert "Checkpoint 4 was not kept: &lt;b&gt;too large" in mina.get("/session/mina/kin/1").text


def test_no_page_names_another_site(mina: TestClient) -> None:
    for path in [*PUBLIC, *OWN]:
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*', mina.get(path).text)


def test_curves_have_at_most_a_thousand_points(site: Any, mina: TestClient) -> None:
    line = '{"k":"report","t":%d,"values":{"train/loss":%f},"step":%d,"summary":true}\n'
    site.platform.streams.append(1, "events", 0, "".join(line % (i, i / 7, i) for i in range(5000)).encode())
    curve = mina.get("/session/mina/kin/1/metrics").json()["series"]["train/loss"]
    assert len(curve["step"]) == len(curve["value"]) == len(curve["time"]) <= 1000
    assert curve["step"][-1] == 4999


def test_the_language_can_be_chosen_and_is_kept(stranger: TestClient) -> None:
    assert '<html lang="ko">' in stranger.get("/?lang=ko").text
    assert '<html lang="ko">' in stranger.get("/status", headers={"Accept-Language": "en"}).text
    assert '<html lang="en">' in stranger.get("/status?lang=en").text
    assert '<html lang="en">' in stranger.get("/?lang=<script>").text


def test_assets_are_kept_for_good_by_their_content(stranger: TestClient) -> None:
    address = re.search(r'href="(/static/site\.css\?v=\w+)"', stranger.get("/").text)
    assert address
    answer = stranger.get(address.group(1))
    assert "immutable" in answer.headers["cache-control"]
    assert stranger.get("/static/../pages.py").status_code == 404
