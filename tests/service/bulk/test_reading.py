"""What bulk reads, and how much of it at a time."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.client.bulk.chunks import MAX_CHUNK_BYTES, in_chunks, in_order
from service.client.bulk.text_input import TextInput
from tests.service.bulk.fake import FakeService, bulk, expected_row


@pytest.mark.parametrize("kind", [".gz", ".xz"])
def test_packed_files_columns_and_swapped_sides(service: tuple[FakeService, str], tmp_path: Path, kind: str) -> None:
    _, address = service
    opener = {".gz": gzip.open, ".xz": lzma.open}[kind]
    with opener(tmp_path / f"in.tsv{kind}", "wt", encoding="utf-8") as file:
        file.write("a\t열기\tpackage\r\nb\t닫기\n")
    output = tmp_path / f"out.tsv{kind}"
    assert bulk(address, tmp_path / f"in.tsv{kind}", "--output", output, "--column", 2, "--swap") == 0
    with opener(output, "rt", encoding="utf-8") as file:
        assert file.read() == "기열\t열기\t-0.0020\tEND\n기닫\t닫기\t-0.0020\tEND\n"


def test_a_byte_order_mark_is_no_text(service: tuple[FakeService, str], tmp_path: Path) -> None:
    (tmp_path / "in").write_text("ab\n", encoding="utf-8-sig")
    assert bulk(service[1], tmp_path / "in", "--output", tmp_path / "out") == 0
    assert (tmp_path / "out").read_text() == expected_row("ab")


@pytest.mark.parametrize(
    ("name", "content", "flags", "message"),
    [
        ("in", b"a\n\xff\n", (), "in:2: not UTF-8"),
        ("in", b"a\n", ("--column", 2), "in:1: 1 columns; --column 2"),
        ("in.gz", b"nonsense", (), "in.gz cannot be unpacked"),
        ("in.gz", gzip.compress(b"x" * 100)[:10] + b"\xff" * 40, (), "in.gz cannot be unpacked"),
    ],
)
def test_wrong_input_is_told(
    service: tuple[FakeService, str],
    tmp_path: Path,
    name: str,
    content: bytes,
    flags: tuple[object, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_bytes(content)
    assert bulk(service[1], tmp_path / name, "--output", tmp_path / "out", *flags) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_chunks_are_small_in_texts_and_bytes() -> None:
    assert [chunk.texts for chunk in in_chunks("abcde", 2)] == [("a", "b"), ("c", "d"), ("e",)]
    assert [chunk.first for chunk in in_chunks("abcde", 2, first=7)] == [7, 9, 11]
    large = "가" * (MAX_CHUNK_BYTES // 4)
    assert [len(chunk.texts) for chunk in in_chunks([large, large, "a"], 9)] == [1, 2]


def test_no_more_is_read_than_is_under_way() -> None:
    read: list[str] = []

    def texts() -> Iterator[str]:
        for index in range(100):
            read.append(str(index))
            yield str(index)

    results = in_order(in_chunks(texts(), 1), lambda chunk: chunk.texts[0], num_requests=3)
    assert [next(results)[1] for _ in range(10)] == [str(index) for index in range(10)]
    assert len(read) <= 10 + 2 * 3
    results.close()


def test_the_share_read_grows(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("word\n" * 100_000)
    with TextInput(tmp_path / "in", None) as texts:
        assert texts.share_read == 0.0
        iterator = iter(texts)
        next(iterator)
        assert 0.0 < texts.share_read < 0.5
        assert len(list(iterator)) == 99_999
        assert texts.share_read == 1.0
