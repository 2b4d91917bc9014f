"""A worker against a server over HTTP, with real programs in boxes."""

import json
import os
import signal
from typing import Any

import pytest

from nsml_worker.contract import EndReason, EventKind, Limits, Output

SDK_PROGRAM = """
import json, os, time
home = os.environ["NSML_HOME"]
def line(**values):
    with open(home + "/journal", "ab") as file:
        file.write(json.dumps(values).encode() + b"\\n")
def save(name, **files):
    os.makedirs(home + "/checkpoints/c" + name)
    for file, content in files.items():
        open(home + "/checkpoints/c" + name + "/" + file, "wb").write(content)
    line(k="save", t=1.5, name=name, dir="c" + name, summary={"loss": 0.5})
"""


def kinds(site: Any, box: Any) -> list[EventKind]:
    return [event.kind for event in site.memory.events[box]]


def test_a_training_is_told_from_its_start_to_its_end(site: Any, wait_until: Any) -> None:
    box = site.offer("print('hello'); import sys; print('there', file=sys.stderr)")
    site.start_worker().take(1, "run-secret-canary")
    ended = site.memory.wait_for_end(box)
    assert (ended.reason, ended.exit_code) == (EndReason.EXITED, 0)
    assert site.memory.stream(1, "log") == b"hello\nthere\n"
    assert kinds(site, box) == [EventKind.PREPARING, EventKind.PREPARING, EventKind.STARTED, EventKind.ENDED]
    wait_until(site.is_clean)


def test_a_second_delivery_runs_nothing_twice(site: Any) -> None:
    box = site.offer("print('once')")
    agent = site.start_worker()
    agent.take(1, "run-secret-canary")
    agent.take(1, "run-secret-canary")
    site.memory.wait_for_end(box)
    assert site.memory.stream(1, "log") == b"once\n"


def test_a_checkpoint_arrives_whole_with_what_lies_beside_the_model(site: Any) -> None:
    program = SDK_PROGRAM + "save('1', model=b'm' * 300000, vocabulary=b'v'); save('2', model=b'n', vocabulary=b'v')"
    box = site.offer(program)
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    checkpoints = [event.data for event in site.memory.events[box] if event.kind is EventKind.CHECKPOINT]
    assert [(data["name"], data["summary"], data["saved_at"]) for data in checkpoints] == [
        ("1", {"loss": 0.5}, 1.5),
        ("2", {"loss": 0.5}, 1.5),
    ]
    files = {file["path"]: site.memory.blobs[file["hash"]] for file in checkpoints[0]["tree"]["files"]}
    assert files == {"model": b"m" * 300000, "vocabulary": b"v"}
    journal = site.memory.stream(1, "events").splitlines()
    assert [json.loads(line)["name"] for line in journal] == ["1", "2"]


@pytest.mark.parametrize(
    "trick",
    [
        "os.makedirs(home + '/checkpoints/x'); os.symlink('/etc/passwd', home + '/checkpoints/x/model')",
        "os.makedirs(home + '/checkpoints/x'); os.mkfifo(home + '/checkpoints/x/model')",
        "os.symlink('/etc', home + '/checkpoints/x')",
        "os.rmdir(home + '/checkpoints'); os.symlink('/etc', home + '/checkpoints')",
    ],
)
def test_a_checkpoint_that_is_not_plain_files_is_not_taken(site: Any, trick: str) -> None:
    lines = "line(k='save', t=1, name='x', dir='x'); line(k='save', t=1, name='y', dir='../../../record.json')"
    box = site.offer(SDK_PROGRAM + trick + "\n" + lines)
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    told = [event.data for event in site.memory.events[box] if event.kind is EventKind.CHECKPOINT]
    assert [(data["name"], "tree" in data) for data in told] == [("x", False), ("y", False)]
    assert all(data["refused"].startswith("its folder") for data in told), "why, for whoever saved it"


def test_a_checkpoint_with_too_many_files_or_no_name_is_told_and_the_next_one_is_taken(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsml_worker.checkpoints.MAX_FILES", 2)
    program = (
        SDK_PROGRAM
        + "save('many', a=b'1', b=b'2', c=b'3'); save('', a=b'1'); save('n' * 129, a=b'1'); save('ok', a=b'1')"
    )
    box = site.offer(program)
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    told = [event.data for event in site.memory.events[box] if event.kind is EventKind.CHECKPOINT]
    assert [data["name"] for data in told] == ["many", "", "n" * 128, "ok"]
    assert told[0]["refused"] == "its folder 'cmany' cannot be read: more than 2 files"
    assert told[1]["refused"] == "a name is text of 1 to 128 characters"
    assert "refused" not in told[3]


@pytest.mark.parametrize("trick", ["os.mkfifo(home + '/journal')", "os.symlink('/etc/passwd', home + '/journal')"])
def test_a_journal_that_is_no_file_is_not_read(site: Any, trick: str) -> None:
    box = site.offer(SDK_PROGRAM + trick)
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    assert site.memory.stream(1, "events") == b""


def test_a_paused_program_is_told_once(site: Any) -> None:
    box = site.offer(SDK_PROGRAM + "line(k='paused', t=1); line(k='paused', t=2)")
    site.start_worker().take(1, "run-secret-canary")
    site.memory.wait_for_end(box)
    assert kinds(site, box).count(EventKind.PAUSED) == 1


def test_the_last_error_of_the_journal_comes_with_the_end(site: Any) -> None:
    program = SDK_PROGRAM + "line(k='error', phase='load', type='KeyError', frames=[]); raise SystemExit(1)"
    box = site.offer(program)
    site.start_worker().take(1, "run-secret-canary")
    ended = site.memory.wait_for_end(box)
    assert (ended.reason, ended.error and ended.error["type"]) == (EndReason.EXIT_CODE, "KeyError")


def test_a_result_is_collected_and_a_missing_one_is_told(site: Any) -> None:
    program = SDK_PROGRAM + "open(home + '/out/prediction', 'w').write('1\\n0\\n')"
    good = site.offer(program, 1, "one", outputs=(Output("prediction", 100),))
    bad = site.offer("pass", 2, "two", outputs=(Output("prediction", 100),))
    large = site.offer(program, 3, "three", outputs=(Output("prediction", 3),))
    link = site.offer(
        SDK_PROGRAM + "os.symlink('/etc/passwd', home + '/out/prediction')",
        4,
        "four",
        outputs=(Output("prediction", 9),),
    )
    agent = site.start_worker()
    for run_id, token in enumerate(["one", "two", "three", "four"], 1):
        agent.take(run_id, token)
    ended = site.memory.wait_for_end(good)
    assert [site.memory.blobs[output.hash] for output in ended.outputs] == [b"1\n0\n"]
    assert site.memory.wait_for_end(bad).reason is EndReason.OUTPUT_MISSING
    assert site.memory.wait_for_end(large).reason is EndReason.OUTPUT_TOO_LARGE
    assert site.memory.wait_for_end(link).reason is EndReason.OUTPUT_MISSING


def test_a_missing_entry_and_a_missing_image_are_told_without_a_start(site: Any) -> None:
    entry = site.offer("pass", 1, "one", argv=("python", "-u", "train.py"))
    image = site.offer("pass", 2, "two", image="pytorch")
    agent = site.start_worker()
    agent.take(1, "one")
    agent.take(2, "two")
    ended = site.memory.wait_for_end(entry)
    assert ended.reason is EndReason.ENTRY_MISSING
    assert "train.py" in ended.detail
    assert site.memory.wait_for_end(image).reason is EndReason.IMAGE_MISSING
    assert EventKind.STARTED not in kinds(site, entry)


def test_bytes_that_the_server_does_not_have_are_our_fault(site: Any) -> None:
    box = site.offer("print('never')")
    site.memory.blobs.clear()
    site.start_worker().take(1, "run-secret-canary")
    ended = site.memory.wait_for_end(box)
    assert ended.reason is EndReason.NODE_ERROR
    assert "blob" in ended.detail


def test_stop_ends_a_run_and_keeps_its_last_words(site: Any) -> None:
    program = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))
print('here')
time.sleep(600)
"""
    box = site.offer(program)
    site.start_worker().take(1, "run-secret-canary")
    site.wait_for_output(1, b"here\n")
    site.memory.stops.append(box)
    assert site.memory.wait_for_end(box).reason is EndReason.STOPPED
    assert site.memory.stream(1, "log") == b"here\nbye\n"


def test_a_dropped_box_is_killed_and_says_nothing(site: Any, wait_until: Any) -> None:
    box = site.offer("import time; print('here'); time.sleep(600)")
    agent = site.start_worker()
    agent.take(1, "run-secret-canary")
    site.wait_for_output(1, b"here\n")
    site.memory.drops.append(box)
    wait_until(lambda: site.is_clean() and not agent.boxes())
    assert EventKind.ENDED not in kinds(site, box)


def test_an_attempt_that_is_over_leaves_nothing_behind(site: Any, wait_until: Any) -> None:
    box = site.offer("import time; print('here')\nwhile True: print('.'); time.sleep(0.01)")
    agent = site.start_worker()
    agent.take(1, "run-secret-canary")
    site.wait_for_output(1, b"here\n")
    assert not site.is_clean()
    site.memory.specs.clear()
    wait_until(lambda: site.is_clean() and not agent.boxes())
    assert EventKind.ENDED not in kinds(site, box)


@pytest.mark.parametrize(
    ("program", "limits", "reason"),
    [
        ("import time; time.sleep(600)", Limits(wall_clock=0.3), EndReason.WALL_CLOCK),
        (
            "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)",
            Limits(wall_clock=0.3),
            "wall_clock",
        ),
        ("x = bytearray(400 << 20)\nwhile True: pass", Limits(memory=200 << 20), EndReason.OUT_OF_MEMORY),
        (
            "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'x = bytearray(400 << 20)\\nwhile 1: pass'])",
            Limits(memory=200 << 20),
            EndReason.OUT_OF_MEMORY,
        ),
        (
            "import threading, time\nfor _ in range(200): threading.Thread(target=time.sleep, args=(600,)).start()",
            Limits(processes=100),
            EndReason.TOO_MANY_PROCESSES,
        ),
        ("import time; open('big', 'wb').write(bytes(8 << 20)); time.sleep(600)", Limits(disk=1 << 20), "disk_full"),
        (
            "import os, time; file = open('x', 'wb'); os.unlink('x'); file.write(bytes(8 << 20)); time.sleep(600)",
            Limits(disk=1 << 20),
            EndReason.DISK_FULL,
        ),
        ("import os; os.kill(os.getpid(), 11)", Limits(), EndReason.SIGNALLED),
    ],
)
def test_a_limit_ends_a_program_with_its_name(site: Any, program: str, limits: Limits, reason: EndReason) -> None:
    site.grace = 0.2  # one of them is deaf
    box = site.offer(program, limits=limits)
    site.start_worker().take(1, "run-secret-canary")
    ended = site.memory.wait_for_end(box)
    assert ended.reason == reason
    if reason is EndReason.SIGNALLED:
        assert ended.signal == signal.SIGSEGV


def test_output_beyond_its_limit_is_dropped_with_a_mark(site: Any) -> None:
    box = site.offer("print('x' * 5_000_000)", limits=Limits(log=1000))
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    mark = b"\n[nsml] The output limit of 1000 bytes is reached; the rest is dropped.\n"
    assert site.memory.stream(1, "log") == b"x" * 1000 + mark


def test_a_process_that_forks_away_is_ended_with_its_box(site: Any, wait_until: Any) -> None:
    program = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open('pid', 'w').write(str(os.getpid()))
        for fd in range(3): os.close(fd)
        time.sleep(600)
    os._exit(0)
while not os.path.exists('pid') or not open('pid').read(): time.sleep(0.01)
print(open('pid').read())
"""
    box = site.offer(program)
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    pid = int(site.memory.stream(1, "log"))
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(os.pidfd_open(pid), 0)


def test_a_folder_called_nsml_beside_the_program_is_not_the_sdk(site: Any) -> None:
    box = site.offer("import nsml; print(nsml.__file__)", files={"nsml/__init__.py": "raise SystemExit(9)"})
    site.start_worker().take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    assert str(site.sdk) in site.memory.stream(1, "log").decode()
