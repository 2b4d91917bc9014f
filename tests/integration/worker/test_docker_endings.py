"""Each way in which a container ends is told apart from the others, and nothing of it is left on the machine."""

import os
import signal
from typing import Any

import pytest

from nsml_worker.containers import disk as disks
from nsml_worker.contract import EndReason, Environment, Limits

MEBI = 2**20
# Returns once the one who keeps the output has written it down; what it was told before, it has looked into by then.
SAY = """
import os, time
def say(text):
    os.write(1, text)
    while text not in open("/keep/log", "rb").read():
        time.sleep(0.01)
"""
SLEEP = "import time; print('here'); time.sleep(600)"


@pytest.fixture(autouse=True)
def nothing_is_left(docker_site: Any, wait_until: Any) -> Any:
    yield
    for agent in docker_site.agents:
        wait_until(lambda agent=agent: not agent.boxes())
    wait_until(lambda: docker_site.list_rest() == [])


def test_an_exit_code_is_the_program_s_own(docker_site: Any) -> None:
    end, output = docker_site.finish("import sys; print('bye'); sys.exit(7)")
    assert (end.reason, end.exit_code, end.signal, output) == (EndReason.EXIT_CODE, 7, None, "bye\n")


def test_an_exit_code_that_looks_like_a_signal_is_none(docker_site: Any) -> None:
    end, _ = docker_site.finish("import sys; sys.exit(137)")
    assert (end.reason, end.exit_code, end.signal) == (EndReason.EXIT_CODE, 137, None)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_signal_that_was_not_ours_is_the_program_s_own(docker_site: Any, number: int) -> None:
    end, _ = docker_site.finish(f"import os; os.kill(os.getpid(), {number})")
    assert (end.reason, end.exit_code, end.signal) == (EndReason.SIGNALLED, None, number)


def test_what_was_used_is_told(docker_site: Any) -> None:
    end, _ = docker_site.finish("x = bytearray(64 * 2**20); sum(range(3 * 10**6))")
    assert end.peak_memory > 64 * MEBI
    assert end.cpu_seconds > 0.05
    assert end.wall_seconds > 0.05


class TestMemory:
    def test_the_limit_ends_the_program_and_is_named(self, docker_site: Any) -> None:
        end, output = docker_site.finish("print('before'); x = bytearray(10**9)", limits=Limits(memory=128 * MEBI))
        assert (end.reason, output) == (EndReason.OUT_OF_MEMORY, "before\n")
        assert "128 MiB" in end.detail

    def test_a_child_that_was_ended_is_told_though_the_program_went_on(self, docker_site: Any) -> None:
        program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'bytearray(10**9)']); print('went on')"
        end, output = docker_site.finish(program, limits=Limits(memory=128 * MEBI))
        assert (end.reason, end.exit_code, output) == (EndReason.OUT_OF_MEMORY, 0, "went on\n")
        assert "A process the program had started" in end.detail

    def test_shared_memory_counts_and_cannot_pass_its_own_limit(self, docker_site: Any) -> None:
        program = "open('/dev/shm/x', 'wb').write(bytes(64 * 2**20))"
        end, output = docker_site.finish(program, limits=Limits(memory=256 * MEBI, shm=16 * MEBI))
        assert end.reason is EndReason.EXIT_CODE
        assert "No space left on device" in output


class TestProcesses:
    BOMB = "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)\n"

    def test_a_fork_bomb_ends_with_the_limit_named(self, docker_site: Any) -> None:
        end, output = docker_site.finish(self.BOMB, limits=Limits(processes=64, memory=256 * MEBI, wall_clock=60))
        assert end.reason is EndReason.TOO_MANY_PROCESSES
        assert "64" in end.detail
        assert "[nsml]" in output

    def test_many_processes_below_the_limit_are_nobody_s_business(self, docker_site: Any) -> None:
        program = (
            "import threading\nt = [threading.Thread(target=lambda: None) for _ in range(40)]\n[x.start() for x in t]"
        )
        end, _ = docker_site.finish(program, limits=Limits(processes=64))
        assert end.reason is EndReason.EXITED


class TestDisk:
    @pytest.mark.parametrize("folder", ["/app", "/tmp", "/nsml/checkpoints"])
    def test_a_full_disk_ends_as_such_with_the_last_words_kept(self, docker_site: Any, folder: str) -> None:
        program = f"print('before')\nwith open('{folder}/x', 'wb') as f:\n    while True: f.write(bytes(2**20))"
        end, output = docker_site.finish(program, limits=Limits(disk=16 * MEBI))
        assert end.reason is EndReason.DISK_FULL
        assert "16 MiB" in end.detail
        assert output.startswith("before\n")
        assert "OSError: [Errno 28] No space left on device" in output

    def test_who_tidies_up_before_it_fails_is_told_too(self, docker_site: Any) -> None:
        program = SAY + (
            "import os\ntry:\n    f = open('/tmp/x', 'wb', 0)\n    while True: f.write(bytes(2**20))\n"
            "except OSError as e:\n    say(b'oh, '); say(b'well')\n    os.unlink('/tmp/x')\n    raise\n"
        )
        end, _ = docker_site.finish(program, limits=Limits(disk=16 * MEBI))
        assert end.reason is EndReason.DISK_FULL

    def test_who_comes_to_terms_with_a_full_disk_ends_well(self, docker_site: Any) -> None:
        program = "try:\n    open('/tmp/x', 'wb').write(bytes(2**25))\nexcept OSError:\n    print('full')\n"
        end, output = docker_site.finish(program, limits=Limits(disk=16 * MEBI))
        assert (end.reason, output.splitlines()[0]) == (EndReason.EXITED, "full")

    def test_a_million_empty_files_are_too_many(self, docker_site: Any) -> None:
        program = "n = 0\nwhile True:\n    open('/tmp/%d' % n, 'w').close(); n += 1\n"
        end, output = docker_site.finish(program, limits=Limits(disk=16 * MEBI))
        assert end.reason is EndReason.DISK_FULL
        assert "another file" in end.detail
        assert "No space left on device" in output

    def test_where_the_worker_may_not_mount_what_is_written_is_measured(
        self, docker_site: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(disks, "find_obstacle", lambda _: "only root can mount")
        program = "import time\nopen('/tmp/x', 'wb').write(bytes(2**25))\nprint('here')\ntime.sleep(600)"
        end, output = docker_site.finish(program, limits=Limits(disk=16 * MEBI))
        assert (end.reason, output) == (EndReason.DISK_FULL, "here\n")
        assert "16 MiB" in end.detail
        assert "measured" in docker_site.runners[-1].confinement

    def test_output_beyond_its_cap_is_dropped_with_a_mark(self, docker_site: Any) -> None:
        program = "import sys\nfor _ in range(64): sys.stdout.write('x' * 2**20)"
        end, output = docker_site.finish(program, limits=Limits(log=2**20, disk=16 * MEBI))
        assert end.reason is EndReason.EXITED
        assert output.startswith("x" * 2**20 + "\n[nsml] The output limit of 1048576 bytes")
        assert len(output) < 2**20 + 200


class TestTime:
    def test_a_program_that_is_deaf_is_ended_when_its_time_is_over(self, docker_site: Any) -> None:
        docker_site.grace = 0.3
        program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here'); time.sleep(600)"
        end, output = docker_site.finish(program, limits=Limits(wall_clock=10))
        assert (end.reason, output) == (EndReason.WALL_CLOCK, "here\n")
        assert 10 <= end.wall_seconds < 600

    def test_a_program_may_say_a_word_when_it_is_asked_to_end(self, docker_site: Any) -> None:
        program = (
            "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))\ntime.sleep(600)"
        )
        end, output = docker_site.finish(program, limits=Limits(wall_clock=10))
        assert (end.reason, output) == (EndReason.WALL_CLOCK, "saved\n")

    def test_a_stop_reaches_a_deaf_program_and_those_it_has_left_behind(self, docker_site: Any) -> None:
        docker_site.grace = 0.3
        program = (
            "import os, signal, time\nfor n in (1, 15): signal.signal(n, signal.SIG_IGN)\n"
            "if not os.fork():\n    os.setsid()\n    if os.fork(): os._exit(0)\n    time.sleep(600)\nprint('here'); time.sleep(600)"
        )
        worker = docker_site.start_worker()
        box = docker_site.offer(program)
        worker.take(1, "run-secret-canary")
        docker_site.wait_for_output(1, b"here\n")
        docker_site.memory.stops.append(box)
        worker.look()
        assert docker_site.memory.wait_for_end(box).reason is EndReason.STOPPED

    def test_a_program_that_ends_takes_what_it_has_started_with_it(self, docker_site: Any) -> None:
        program = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True); print('done')"
        end, output = docker_site.finish(program)
        assert (end.reason, output) == (EndReason.EXITED, "done\n")
        assert end.wall_seconds < 600


class TestOurs:
    def test_a_container_that_somebody_removed_is_a_lost_box(self, docker_site: Any) -> None:
        worker = docker_site.start_worker()
        box = docker_site.offer(SLEEP)
        worker.take(1, "run-secret-canary")
        docker_site.wait_for_output(1, b"here\n")
        (one,) = docker_site.engine.containers("box")
        docker_site.engine.remove(one["Id"])
        assert docker_site.memory.wait_for_end(box).reason in (EndReason.BOX_LOST, EndReason.SIGNALLED)

    def test_an_image_that_is_nowhere_is_named(self, docker_site: Any) -> None:
        end, _ = docker_site.finish(SLEEP, environment_of=Environment(reference="127.0.0.1:1/nobody/has:this"))
        assert end.reason is EndReason.IMAGE_MISSING
        assert "127.0.0.1:1/nobody/has:this" in end.detail

    def test_an_image_without_a_python_is_told_apart(self, docker_site: Any, empty_image: str) -> None:
        end, _ = docker_site.finish(SLEEP, environment_of=Environment(reference=empty_image))
        assert end.reason is EndReason.NO_PYTHON
        assert empty_image in end.detail

    def test_a_program_that_kills_the_one_who_keeps_its_output_hurts_itself_alone(self, docker_site: Any) -> None:
        program = SAY + "say(b'here\\n'); os.kill(os.getppid(), 9); time.sleep(600)"
        end, output = docker_site.finish(program)
        assert (end.reason, end.signal, output) == (EndReason.SIGNALLED, 9, "here\n")

    def test_what_the_keeper_noted_is_not_believed_where_the_engine_knows_better(self, docker_site: Any) -> None:
        forged = "status 0\\nasked 0\\ndisk \\npids 9\\nkilled 9\\npeak_memory 99\\nprocessor 99\\n"
        program = f"import os; open('/keep/end', 'w').write('{forged}'); os.chmod('/keep', 0o500); os._exit(3)"
        end, _ = docker_site.finish(program)
        assert end.exit_code == 3

    def test_a_note_that_was_taken_away_makes_no_end_of_ours(self, docker_site: Any) -> None:
        program = "import os, sys; os.unlink('/keep/started'); os.mkdir('/keep/end'); sys.exit(0)"
        end, _ = docker_site.finish(program)
        assert (end.reason, end.exit_code) == (EndReason.EXITED, 0)

    def test_a_note_that_leads_elsewhere_is_not_followed(self, docker_site: Any) -> None:
        program = "import os; os.symlink('/etc/passwd', '/keep/end'); os.unlink('/keep/log'); os.symlink('/etc/passwd', '/keep/log')"
        end, output = docker_site.finish(program)
        assert end.reason is EndReason.EXITED
        assert "root:" not in output


def test_the_worker_s_own_processes_are_not_in_the_box(docker_site: Any) -> None:
    end, output = docker_site.finish("import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))")
    assert end.reason is EndReason.EXITED
    assert len(output.split(",")) == 3  # init, keeper, program
    assert str(os.getpid()) not in output
