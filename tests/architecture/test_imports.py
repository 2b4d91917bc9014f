"""Who may know whom. Each layer knows the contract of the one below and nothing else: a straight line, no diamond."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "nsml_server": ROOT / "server/nsml_server",
    "nsml_worker": ROOT / "worker/nsml_worker",
    "nsmlctl": ROOT / "client/nsmlctl",
    "nsml": ROOT / "sdk/nsml",
}
# What a package may import of the others: whole module names.
MAY_KNOW: dict[str, set[str]] = {
    "nsml_server": {"nsml_worker.contract"},
    "nsml_worker": {"nsml._contract"},
    "nsmlctl": set(),
    "nsml": set(),
}
# Opening what strangers made is for their own box: nothing privileged may do it.
DANGEROUS_MODULES = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "torch", "tensorflow", "yaml"}
DANGEROUS_CALLS = {"eval", "exec", "extractall", "__import__"}


def modules(package: str) -> Iterator[Path]:
    return (path for path in PACKAGES[package].rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every absolute module name that a file imports, with its line; `from a import b` counts as a.b too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_knows_only_the_contract_of_the_one_below(package: str) -> None:
    others = set(PACKAGES) - {package}
    sins = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imports(path)
        if any(is_within(name, other) for other in others)
        and not any(is_within(name, allowed) for allowed in MAY_KNOW[package])
    ]
    assert not sins


def test_the_domain_imports_only_the_standard_library_and_the_contract() -> None:
    allowed = set(sys.stdlib_module_names) | {"nsml_server", "nsml_worker"}
    inside = ("nsml_server.domain", "nsml_server.errors", "nsml_worker.contract")
    sins = [
        f"{path.name}:{line} imports {name}"
        for path in (PACKAGES["nsml_server"] / "domain").rglob("*.py")
        for name, line in imports(path)
        if name.split(".")[0] not in allowed
        or (name.split(".")[0].startswith("nsml_") and not any(is_within(name, module) for module in inside))
    ]
    assert not sins


@pytest.mark.parametrize("path", [PACKAGES["nsml_worker"] / "contract.py", PACKAGES["nsml"] / "_contract.py"], ids=str)
def test_a_contract_imports_only_the_standard_library(path: Path) -> None:
    assert {name.split(".")[0] for name, _ in imports(path)} <= set(sys.stdlib_module_names)


def test_routes_hold_no_queries() -> None:
    sins = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for folder in ("api", "agent", "web")
        for path in (PACKAGES["nsml_server"] / folder).rglob("*.py")
        for name, line in imports(path)
        if name.startswith("nsml_server.storage.tables") or name in {"sqlalchemy.select", "sqlalchemy.update"}
    ]
    assert not sins


@pytest.mark.parametrize("package", ["nsml_server", "nsml_worker", "nsmlctl"])
def test_nothing_privileged_opens_what_strangers_made(package: str) -> None:
    box = {"score.py", "supervisor.py"}  # these two run inside a box
    sins = []
    for path in modules(package):
        if path.name in box:
            continue
        sins += [f"{path}:{n}: {name}" for name, n in imports(path) if name.split(".")[0] in DANGEROUS_MODULES]
        sins += [f"{path}:{node.lineno}: {name}" for node, name in calls(path) if name in DANGEROUS_CALLS]
    assert not sins


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node, node.func.id
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "extractall":
                yield node, node.func.attr


@pytest.mark.parametrize("path", sorted(modules("nsml")), ids=lambda path: path.name)
def test_the_sdk_keeps_to_the_grammar_of_python_3_6(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__ import annotations" not in source, "Python 3.6 refuses it at import"


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_module_starts_nothing(package: str) -> None:
    """No thread, no environment read, no connection at import: calls at module level are the sign of it."""
    suspicious = {"getenv", "connect", "Thread", "create_engine", "basicConfig", "mkdir", "open"}
    sins = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node.func)}"
        for path in modules(package)
        if package != "nsml" and path.name not in {"env.py"}  # Alembic runs env.py as a program
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr))
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in suspicious
    ]
    assert not sins


def test_only_the_containers_know_the_engine_s_library() -> None:
    sins = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for package in PACKAGES
        for path in modules(package)
        if path.parent.name != "containers"
        for name, line in imports(path)
        if is_within(name, "docker")
    ]
    assert not sins
