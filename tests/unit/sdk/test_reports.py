"""`nsml.report`: which lines land in the journal, whole, whoever writes them."""

import json
import signal
from typing import Any

import pytest


def test_a_report_is_one_line_with_slashes_for_double_underscores(box: Any) -> None:
    box.run("import nsml\nnsml.report(summary=True, step=3, train__loss=0.5, epoch=1, walltime=9, scope=locals())")
    (line,) = box.read_journal("report")
    assert (line["values"], line["step"], line["summary"]) == ({"train/loss": 0.5, "epoch": 1}, 3, True)
    assert line["t"] > 1e9


def test_the_first_argument_may_be_the_flag_or_a_dict(box: Any) -> None:
    box.run(
        "import nsml\nnsml.report(False, step=1, **{'val/f1': 2})\nnsml.report({'a__b': 3, 'step': 2})\nnsml.report(True, None, c=1)"
    )
    first, second, third = box.read_journal("report")
    assert (first["values"], first["summary"]) == ({"val/f1": 2}, False)
    assert (second["values"], second["step"], second["summary"]) == ({"a/b": 3}, 2, False)
    assert third["summary"] is True


def test_a_value_that_json_cannot_hold_is_a_type_error_naming_it(box: Any) -> None:
    box.run(
        """
        import nsml
        class Tensor: pass
        for values in ({'loss': Tensor()}, {'loss': {1, 2}}, {'loss': [Tensor()]}, {'step': Tensor()}):
            try:
                nsml.report(**values)
            except TypeError as error:
                assert repr(list(values)[0]) in str(error) and 'plain number' in str(error), error
            else:
                raise SystemExit('accepted')
        """
    )
    assert box.read_journal() == []


def test_other_values_become_numbers_or_texts(box: Any) -> None:
    box.run(
        """
        import nsml, numpy
        nsml.report(step=numpy.float64(2), a=numpy.float64(0.5), b=True, c=None, d=[1, '가'], e='글', f=10**30, g='\\ud800')
        """
    )
    (line,) = box.read_journal("report")
    assert line["values"] == {"a": 0.5, "b": 1, "c": "null", "d": '[1, "가"]', "e": "글", "f": 10**30, "g": "?"}
    assert line["step"] == 2


def test_a_number_that_is_not_finite_arrives_as_its_name(box: Any) -> None:
    box.run("import nsml\nnan = float('nan')\nnsml.report(step=nan, a=nan, b=float('inf'), c=-float('inf'), d=1.5)")
    (line,) = box.read_journal("report")
    assert line["values"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 1.5}
    assert line["step"] is None


def test_a_line_that_is_too_long_is_left_out_and_told_once(box: Any) -> None:
    done = box.run(
        "import nsml\nfor i in range(3): nsml.report(**{'k%d' % n: n for n in range(100000)})\nnsml.report(a=1)"
    )
    assert [line["k"] for line in box.read_journal()] == ["note", "report"]
    assert done.stderr.count("NSML Warning)") == 1


def test_lines_of_threads_forks_and_spawned_processes_never_mix(box: Any) -> None:
    box.run(
        """
        import multiprocessing, os, threading
        import nsml

        def write(who):
            for step in range(200):
                nsml.report(step=step, who=who, text='x' * 3000)

        if __name__ == '__main__':
            write('parent')
            threads = [threading.Thread(target=write, args=('thread%d' % n,)) for n in range(3)]
            forks = [multiprocessing.get_context('fork').Process(target=write, args=('fork%d' % n,)) for n in range(2)]
            spawned = [multiprocessing.get_context('spawn').Process(target=write, args=('spawn%d' % n,)) for n in range(2)]
            for one in forks + spawned + threads: one.start()
            for one in forks + spawned + threads: one.join()
        """
    )
    steps: dict[str, list[int]] = {}
    for line in box.read_journal("report"):
        steps.setdefault(line["values"]["who"], []).append(line["step"])
    assert len(steps) == 8
    assert all(seen == list(range(200)) for seen in steps.values())


def test_nothing_reported_before_kill_9_is_lost(box: Any) -> None:
    program = (
        "import nsml, os, signal\nfor i in range(500): nsml.report(step=i, a=i)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    process = box.start(program)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert [line["step"] for line in box.read_journal("report")] == list(range(500))


def test_a_journal_that_cannot_be_written_is_not_the_programs_trouble(box: Any) -> None:
    (box.home / "journal").mkdir()
    done = box.run("import nsml\nnsml.bind(infer=print)\nnsml.report(a=1)\nprint('still here')")
    assert done.stdout == "still here\n"
    assert done.stderr == ""


def test_a_line_cut_by_a_full_disk_stays_alone_and_a_save_is_told_later(box: Any) -> None:
    box.run(
        """
        import os, nsml
        write, room = os.write, [60]
        def scarce(descriptor, data):
            if not room[0]:
                raise OSError(28, 'No space left on device')
            cut, room[0] = data[:room[0]], max(0, room[0] - len(data))
            return write(descriptor, cut)
        os.write = scarce
        nsml.report(step=1, a='x' * 100)
        nsml.save('best', save_fn=lambda path: None)
        os.write = write
        nsml.report(step=2)
        """
    )
    torn, *rest = (box.home / "journal").read_bytes().splitlines()
    assert len(torn) == 60
    assert [json.loads(line)["k"] for line in rest] == ["save", "report"]


def test_a_daemon_that_closed_every_descriptor_does_not_write_into_files_of_the_program(box: Any) -> None:
    box.run(
        """
        import os, nsml
        nsml.report(step=0)
        if os.fork() == 0:
            os.closerange(3, 64)
            mine = [open('mine%d' % n, 'w') for n in range(8)]
            nsml.report(step=1)
            os._exit(0)
        os.wait()
        """
    )
    assert [line["step"] for line in box.read_journal("report")] == [0, 1]
    assert {(box.app / f"mine{n}").stat().st_size for n in range(8)} == {0}


@pytest.mark.parametrize("call", ["report(a=object())", "save('../x')", "load('nothing')", "paused(scope=locals())"])
def test_off_the_platform_every_call_is_silent(make_box: Any, call: str) -> None:
    done = make_box(off_platform=True).run(
        f"import nsml\nnsml.bind(save=1, load=2, real=True)\nassert nsml.{call} is None"
    )
    assert (done.stdout, done.stderr) == ("", "")
