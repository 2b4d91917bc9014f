"""What a folder says it needs is read from it, whatever way people wrote it, and never by running it."""

from pathlib import Path

import pytest

from nsml_server.domain.requirements import Needs, key_of, read_needs
from nsml_server.errors import Invalid


def needs(**files: str) -> Needs:
    """`setup` is setup.py, `requirements` requirements.txt, `packages` nsml_package.txt; others NAME → NAME.txt."""
    names = {"setup": "setup.py", "requirements": "requirements.txt", "packages": "nsml_package.txt"}
    folder = {names.get(name, f"{name}.txt"): text for name, text in files.items()}
    return read_needs(folder.get)


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("#nsml: nsml/default_ml:cuda9\nfrom setuptools import setup", "nsml/default_ml:cuda9"),
        ("#nsml:mj1642/nipa:0.1", "mj1642/nipa:0.1"),
        ("# nsml: nvcr.io/nvidia/pytorch:19.06-py3", "nvcr.io/nvidia/pytorch:19.06-py3"),
        ("\ufeff#NSML : default  \r\n", "default"),
        ("\n\n#nsml: default", "default"),
        ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n#nsml: default", "default"),
        ("# Copyright 2018 Team\n# MIT licence\n\n# nsml: default\nimport os", "default"),
        ('"""Our baseline.\n\nimport nothing\n"""\r\n#nsml: default', "default"),
        ("r'''Ours.'''\n'another'\n#nsml: default", "default"),
        ("#nsml:\n#nsml: default\n#nsml: another", "default"),
        ("#nsml: a\u202eb", "a?b"),
        (f"#nsml: {'x' * 300}", "x" * 255),
        ("#nsml:", None),
        ("import os\n#nsml: default", None),
        ('"""\n#nsml: default\n"""', None),
        ('"""\n#nsml: default\n', None),
        ("# nsml is the platform", None),
        ("", None),
    ],
)
def test_the_image_is_the_word_after_nsml_above_the_code(text: str, image: str | None) -> None:
    assert needs(setup=text).image == image


@pytest.mark.parametrize("text", ["import os\n# nsml: a/b:1\n", '"""\n#nsml: a/b:1\n"""\n', "numpy\n#nsml: a/b:1\n"])
def test_an_image_named_below_the_code_is_told(text: str) -> None:
    (note,) = (note for note in needs(requirements="#nsml: c\n", setup=text).notes if "image" in note)
    assert note == 'setup.py line 2 names the image "a/b:1" below the code, where it does not count'
    assert not any("image" in note for note in needs(setup="#nsml: c\n" + text).notes)


def test_the_image_of_setup_py_comes_before_that_of_requirements_txt() -> None:
    assert needs(setup="#nsml: a\n", requirements="#nsml: b\n").image == "a"
    assert needs(setup="import os\n", requirements="#nsml: b\n").image == "b"
    assert needs(requirements="#nsml: b\nnumpy\n") == Needs(image="b", requirements=("numpy",))


SETUP = "from setuptools import setup\n"


@pytest.mark.parametrize(
    "source",
    [
        SETUP + "setup(name='x', install_requires=['numpy', 'scipy>=1.0'])",
        "import setuptools\nsetuptools.setup(install_requires=('numpy', 'scipy>=1.0'))",
        "from distutils.core import setup\nsetup(install_requires=['numpy', 'scipy>=1.0'])",
        "try:\n  from setuptools import setup\nexcept ImportError:\n  from distutils.core import setup\n"
        "setup(install_requires=['numpy', 'scipy>=1.0'])",
        SETUP + "REQUIRED = ['numpy', 'scipy>=1.0']\nsetup(install_requires=REQUIRED)",
        SETUP + "base = ['numpy']\nsetup(install_requires=base + ['scipy>=1.0'])",
        SETUP + "base = ['numpy']\nbase += ['scipy>=1.0']\nsetup(install_requires=base)",
        SETUP + "base = ['numpy']\nbase = base + ['scipy>=1.0']\nsetup(install_requires=base)",
        SETUP + "base = ['numpy']\nbase.append('scipy>=1.0')\nsetup(install_requires=base)",
        SETUP + "setup(install_requires=[*['numpy'], 'scipy>=1.0'])",
        SETUP + "setup(install_requires='numpy\\nscipy>=1.0')",
        SETUP + "setup(install_requires=list(open('listed.txt')))",
        SETUP + "setup(install_requires=open('listed.txt').read().splitlines())",
        SETUP + "setup(install_requires=open('./listed.txt').readlines())",
        SETUP + "with open('listed.txt') as f:\n    required = f.read().splitlines()\nsetup(install_requires=required)",
        SETUP + "with open('listed.txt') as f:\n    required = [l.strip() for l in f if l]\nsetup(install_requires=required)",
        SETUP + "import os\nhere = os.path.dirname(__file__)\n"
        "setup(install_requires=[x for x in open(os.path.join(here, 'listed.txt'), encoding='utf-8')])",
        SETUP + "from pathlib import Path\nsetup(install_requires=Path('listed.txt').read_text().split('\\n'))",
        SETUP + "def read(name):\n    with open(name) as f:\n        return f.read().splitlines()\n"
        "setup(install_requires=read('listed.txt'))",
        SETUP + "def required():\n    return ['numpy', 'scipy>=1.0']\nsetup(install_requires=required())",
        SETUP + "from pip.req import parse_requirements\nreqs = parse_requirements('listed.txt', session='x')\n"
        "setup(install_requires=[str(r.req) for r in reqs])",
        SETUP + "setup(**{'install_requires': ['numpy', 'scipy>=1.0']})",
        SETUP + "config = {'install_requires': ['numpy', 'scipy>=1.0']}\nsetup(**config)",
        SETUP + "config = {'install_requires': ['numpy', 'scipy>=1.0']}\nsetup(install_requires=config['install_requires'])",
    ],
)  # fmt: skip
def test_install_requires_is_found_however_it_is_written(source: str) -> None:
    found = needs(setup=source, listed="# what we need\nnumpy\n\nscipy>=1.0  # for sparse\n")
    assert found.requirements == ("numpy", "scipy>=1.0")
    assert found.notes == ()


@pytest.mark.parametrize(
    "source",
    [
        SETUP + "import sys\nsetup(install_requires=sys.argv[1:])",
        SETUP + "setup(install_requires=unknown)",
        SETUP + "setup(install_requires=open('elsewhere.txt'))",
        SETUP + "setup(install_requires=open('/etc/passwd').readlines())",
        SETUP + "setup(install_requires=[3])",
        SETUP + "a = b\nb = a\nsetup(install_requires=a)",
        SETUP + "z = ''\n" + "".join(f"z{n} = z{n - 1} + z{n - 1}\n" for n in range(1, 60)) + "setup(install_requires=z59)",
        "print 'python 2'",
        "setup(install_requires=" + "(" * 500,
        "\0",
    ],
)  # fmt: skip
def test_what_would_have_to_be_run_is_noted_and_not_run(source: str) -> None:
    found = needs(setup=source)
    assert found.requirements == ()
    (note,) = found.notes
    assert note.startswith("setup.py: ")
    assert "nothing was installed from it" in note


def test_nothing_in_setup_py_is_executed(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    source = f"open({str(canary)!r}, 'w').write('x')\nfrom setuptools import setup\nsetup(install_requires=['numpy'])"
    assert needs(setup=source).requirements == ("numpy",)
    assert not canary.exists()


def test_a_setup_py_without_requirements_needs_nothing() -> None:
    assert needs(setup=SETUP + "setup(name='x')") == Needs()
    assert needs() == Needs()


def test_both_files_count_setup_py_first_and_nothing_twice() -> None:
    found = needs(setup=SETUP + "setup(install_requires=['numpy', 'nsml'])", requirements="scipy\nnumpy\nnsml==1.0\n")
    assert found.requirements == ("numpy", "scipy")


@pytest.mark.parametrize(
    "line",
    ["numpy", "scikit-learn>=0.20,<1", "torch == 1.1.0", "requests[security,socks]~=2.0", "pkg!=1.*; python_version < '3.8'",
     "pkg (>=1.0)", "Pillow===6.0+local"],
)  # fmt: skip
def test_a_requirement_is_taken_as_pip_takes_it(line: str) -> None:
    assert needs(requirements=f"  {line}   # why\n").requirements == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "git+https://github.com/SKTBrain/KoBERT.git@master",
        "git+https://github.com/SKTBrain/KoBERT#egg=kobert",
        "https://host.test/files/x-1.0-py3-none-any.whl#sha256=00",
        "x @ https://host.test/files/x-1.0.tar.gz",
        "x[extra]@git+https://host.test/x@v1 ; python_version < '3.8'",
    ],
)
def test_a_package_may_be_named_by_its_address(line: str) -> None:
    found = needs(requirements=f"{line}  # ours\n")
    assert (found.requirements, found.notes) == ((line,), ())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-r other.txt", "no such file"),
        ("-r ../numpy.txt", "no such file"),
        ("-r https://evil.test/x.txt", "no such file"),
        ("git+ssh:evil", "https://"),
        ("git+ssh://git@host.test/x", "https://"),
        ("hg+https://host.test/x", "https://"),
        ("-e git+file:///etc", "https://"),
        ("file:///etc/passwd", "https://"),
        ("x @ ftp://host.test/x.whl", "https://"),
        ("https://host.test/a b", "https://"),
        ("./local", "path"),
        ("../local", "path"),
        ("/etc/passwd", "path"),
        ("folder/package", "path"),
        ("package.whl", "path"),
        ("package-1.0.tar.gz", "path"),
        ("numpy scipy", "name"),
        ("$(reboot)", "name"),
        ("numpy==$HOME", "name"),
        ("---numpy", "name"),
        ("numpy\u202egnp", "short line"),
        ("x" * 501, "short line"),
    ],
)
def test_what_is_no_package_is_refused_with_its_line(line: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        needs(requirements=f"# first\nscipy\n{line}\n")
    assert refused.value.message.startswith("requirements.txt line 3, ")
    assert why in refused.value.message


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("-e .", ()),
        ("--editable ./package", ()),
        ("-e git+https://host.test/x#egg=x", ("git+https://host.test/x#egg=x",)),
        ("-f https://download.pytorch.org/whl/torch_stable.html", ()),
        ("-i https://evil.test/simple", ()),
        ("--index-url https://evil.test/simple", ()),
        ("--extra-index-url=https://evil.test/simple", ()),
        ("--no-cache-dir", ()),
        ("-c constraints.txt", ()),
        ("numpy --install-option=x", ("numpy",)),
        ("numpy==1.0 --hash=sha256:00 --hash=sha256:11", ("numpy==1.0",)),
        ("certifi @ file:///croot/certifi_1/work/certifi", ("certifi",)),
        ("pip @ file:///x ; python_version < '3.8'", ("pip ; python_version < '3.8'",)),
        ("torch==1.7.1+cu110", ("torch==1.7.1",)),
        ("torchvision == 0.13.1+cpu ; sys_platform == 'linux'", ("torchvision == 0.13.1 ; sys_platform == 'linux'",)),
    ],
)
def test_what_pip_cannot_be_given_is_left_out_with_a_note(line: str, kept: tuple[str, ...]) -> None:
    found = needs(requirements=f"scipy\n{line}\n")
    assert found.requirements == ("scipy", *kept)
    notes = [note for note in found.notes if note.startswith("requirements.txt line 2, ")]
    assert len(notes) == (not line.startswith("-e git"))


def test_options_of_one_kind_are_told_once() -> None:
    lines = "".join(f"x{n}==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n" for n in range(100))
    found = needs(requirements=lines)
    assert len(found.requirements) == 100
    (note,) = found.notes
    assert note.startswith("requirements.txt line 1, ")


def test_a_file_that_another_one_names_is_read_where_it_lies() -> None:
    folder = {
        "requirements.txt": "-r requirements/base.txt\nscipy\n--requirement=./requirements/base.txt\n",
        "requirements/base.txt": "\ufeffnumpy\n-r more.txt\n-rdev.txt\n-r ../requirements.txt\n",
        "requirements/more.txt": "pandas\n",
        "requirements/dev.txt": "# nothing\n",
    }
    assert read_needs(folder.get).requirements == ("numpy", "pandas", "scipy")
    folder["requirements/dev.txt"] = "\n./local\n"
    with pytest.raises(Invalid, match=r"requirements/dev\.txt line 2"):
        read_needs(folder.get)


def test_files_that_name_each_other_without_end_are_refused() -> None:
    folder = {f"{n}.txt": f"-r {n + 1}.txt\n" for n in range(1000)}
    with pytest.raises(Invalid, match="name each other"):
        read_needs({"requirements.txt": "-r 0.txt\n", **folder}.get)
    long = "#" * 200_000
    with pytest.raises(Invalid, match="name each other"):
        read_needs({"requirements.txt": f"-r 0.txt\n{long}", "0.txt": long}.get)


def test_more_packages_than_anybody_imports_are_refused() -> None:
    assert len(needs(requirements="".join(f"x{n}\n" for n in range(500))).requirements) == 500
    with pytest.raises(Invalid, match="more than 500"):
        needs(requirements="".join(f"x{n}\n" for n in range(501)))
    assert len(needs(packages="".join(f"x{n}\n" for n in range(500))).packages) == 500
    with pytest.raises(Invalid, match="more than 500"):
        needs(packages="".join(f"x{n}\n" for n in range(501)))


def test_a_continued_line_is_one_line() -> None:
    assert needs(requirements="numpy>=1.0,\\\n<2\nscipy\n").requirements == ("numpy>=1.0,<2", "scipy")
    with pytest.raises(Invalid, match="line 1"):
        needs(requirements="numpy \\\n scipy\n")


def test_an_option_in_install_requires_names_setup_py() -> None:
    found = needs(setup=SETUP + "setup(install_requires=['-e .', 'numpy'])")
    assert found.requirements == ("numpy",)
    assert found.notes[0].startswith("install_requires in setup.py, ")
    with pytest.raises(Invalid, match=r"install_requires in setup\.py"):
        needs(setup=SETUP + "setup(install_requires=['./local'])")


def test_debian_packages_are_one_in_each_line() -> None:
    found = needs(packages="libsndfile1  # for librosa\n\n# a comment\ng++\n")
    assert found.packages == ("libsndfile1", "g++")
    with pytest.raises(Invalid, match=r"nsml_package\.txt line 1"):
        needs(packages="curl; reboot\n")


def test_the_key_depends_on_what_is_needed_and_not_on_how_it_is_written() -> None:
    assert key_of(None, ["numpy", "scipy  >1"]) == key_of(None, ["SciPy >1", "numpy"])
    assert key_of(None, ["git+https://host.test/A"]) != key_of(None, ["git+https://host.test/a"])
    assert len({key_of(None, ["a"]), key_of(None, ["a", "b"]), key_of("/python", ["a"]), key_of(None, [])}) == 4
