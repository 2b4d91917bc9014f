"""What a folder says it needs is read from it, whatever way people wrote it, and never by running it."""

from pathlib import Path

import pytest

from nsml_server.domain.requirements import Needs, find_image, key_of, read_needs
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
        ("#nsml:", None),
        ("import os\n#nsml: default", None),
        ("# nsml is the platform", None),
        ("", None),
        (None, None),
    ],
)
def test_the_image_is_the_word_after_nsml_in_the_first_line(text: str | None, image: str | None) -> None:
    assert find_image(text) == image


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
    ("line", "why"),
    [
        ("-r other.txt", "options"),
        ("-e .", "options"),
        ("--index-url https://evil.test/simple", "options"),
        ("numpy --install-option=x", "options"),
        ("numpy --hash=sha256:00", "options"),
        ("https://evil.test/x.whl", "address"),
        ("git+https://evil.test/x", "address"),
        ("git+ssh:evil", "address"),
        ("numpy @ file:///etc/passwd", "address"),
        ("./local", "path"),
        ("../local", "path"),
        ("/etc/passwd", "path"),
        ("folder/package", "path"),
        ("package.whl", "path"),
        ("package-1.0.tar.gz", "path"),
        ("numpy scipy", "name"),
        ("$(reboot)", "name"),
        ("numpy==$HOME", "name"),
        ("numpy\u202egnp", "short line"),
    ],
)
def test_what_is_no_package_is_refused_with_its_line(line: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        needs(requirements=f"# first\nscipy\n{line}\n")
    assert refused.value.message.startswith("requirements.txt line 3, ")
    assert why in refused.value.message


def test_a_continued_line_is_one_line() -> None:
    assert needs(requirements="numpy>=1.0,\\\n<2\nscipy\n").requirements == ("numpy>=1.0,<2", "scipy")
    with pytest.raises(Invalid, match="line 1"):
        needs(requirements="numpy \\\n --hash=sha256:00\n")


def test_an_option_in_install_requires_names_setup_py() -> None:
    with pytest.raises(Invalid, match=r"install_requires in setup\.py"):
        needs(setup=SETUP + "setup(install_requires=['-e .'])")


def test_debian_packages_are_one_in_each_line() -> None:
    found = needs(packages="libsndfile1  # for librosa\n\n# a comment\ng++\n")
    assert found.packages == ("libsndfile1", "g++")
    with pytest.raises(Invalid, match=r"nsml_package\.txt line 1"):
        needs(packages="curl; reboot\n")


def test_the_key_depends_on_what_is_needed_and_not_on_how_it_is_written() -> None:
    assert key_of(None, ["numpy", "scipy  >1"]) == key_of(None, ["SciPy >1", "numpy"])
    assert len({key_of(None, ["a"]), key_of(None, ["a", "b"]), key_of("/python", ["a"]), key_of(None, [])}) == 4
