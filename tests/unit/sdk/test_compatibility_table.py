"""The table of what NSML's library, datasets and evaluations were, and what they are here: each row has a proof that exists."""

import re
from pathlib import Path

TABLE = Path(__file__).parents[3] / "docs/nsml-compatibility-sdk.md"
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def test_each_row_links_a_proof_and_each_proof_is_there() -> None:
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    told = [row for row in rows if not row.endswith("| proved by |")]
    assert len(told) > 100
    assert [row for row in told if not LINK.search(row)] == []
    missing = [(name, path) for row in told for name, path in LINK.findall(row) if not is_there(name, path)]
    assert missing == []


def is_there(name: str, path: str) -> bool:
    proof = (TABLE.parent / path).resolve()
    if proof.is_dir():
        return (proof / "expect.toml").is_file()
    return proof.is_file() and (name == proof.name or f"def {name}(" in proof.read_text(encoding="utf-8"))
