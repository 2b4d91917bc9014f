"""Packs read back as they were written, and broken ones are refused."""

import json
import struct

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.errors import HashMismatch, Invalid, NsmlError, TooLarge
from nsml_server.storage.packs import MAX_BODY, MAX_FILE, MAX_FILES, MAX_PACK, decode, encode, entries_of, frame

A, B = "0a" * 32, "0b" * 32


def named(*contents: bytes) -> list[tuple[str, bytes]]:
    return [(blake3(data).hexdigest(), data) for data in contents]


def framed(header: object, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack(">I", len(text)) + text + body


@given(st.lists(st.binary(max_size=100), unique=True, max_size=20))
def test_a_pack_reads_back_as_it_was_written(contents: list[bytes]) -> None:
    assert decode(encode(named(*contents))) == named(*contents)


def test_the_frame_is_what_the_agreement_says() -> None:
    header = b'[["' + A.encode() + b'",3]]'
    assert frame([(A, 3)]) == len(header).to_bytes(4, "big") + header


def test_offsets_lead_to_the_bytes() -> None:
    pack = encode(named(b"one", b"", b"three"))
    assert [pack[e.offset : e.offset + e.size] for e in entries_of(pack)] == [b"one", b"", b"three"]


@pytest.mark.parametrize(
    "pack",
    [
        b"",
        b"\x00\x00",
        struct.pack(">I", 100) + b"[]",
        framed(b"hello"),
        framed(b"[" * 50_000),
        framed({"a": 1}),
        framed([["nohash", 1]]),
        framed([[A, -1]]),
        framed([[A, True]], b"x"),
        framed([[A, 1.0]], b"x"),
        framed([[A, "1"]], b"x"),
        framed([A]),
        framed([[A, 1, 2]]),
        framed([[A, 0], [A, 0]]),
        framed([[A, 5]], b"four"),
        framed([[A, 3]], b"four"),
        framed([], b"x"),
    ],
)
def test_a_broken_pack_is_refused(pack: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        entries_of(pack)
    assert refused.value.hint


@pytest.mark.parametrize(
    "pack",
    [
        framed([[A, MAX_FILE + 1]]),
        framed([[f"{number:064x}", MAX_FILE] for number in range(MAX_PACK // MAX_FILE + 1)]),
        framed([[f"{number:064x}", 0] for number in range(MAX_FILES + 1)]),
        struct.pack(">I", 2**32 - 1),
    ],
)
def test_a_pack_beyond_its_limits_is_refused_before_its_bytes_are_looked_at(pack: bytes) -> None:
    with pytest.raises(TooLarge):
        entries_of(pack)


def test_a_file_that_is_not_what_its_hash_says_is_refused() -> None:
    with pytest.raises(HashMismatch):
        decode(encode([*named(b"good"), (B, b"bad")]))


def test_the_largest_pack_fits_the_body_that_readers_allow() -> None:
    sizes = [(f"{number:064x}", MAX_PACK // MAX_FILES) for number in range(MAX_FILES)]
    assert len(frame(sizes)) + MAX_PACK <= MAX_BODY


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_our_own_errors(data: bytes) -> None:
    try:
        decode(data)
    except NsmlError:
        return
    assert data[4:].lstrip().startswith(b"[")
