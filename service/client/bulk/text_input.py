"""Texts to translate: lines of a file, or one column of a TSV file."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast


class TextInput:
    """The texts of a UTF-8 file, plain, .gz or .xz, read as they are asked for. Use it as a context manager."""

    def __init__(self, path: Path, column: int | None) -> None:
        """`column`: of a TSV file, from 1; None: whole lines."""
        self._path = path
        self._column = column
        self._raw = path.open("rb")
        self._num_bytes = path.stat().st_size

    @property
    def share_read(self) -> float:
        """How much of the file was read, 0 to 1."""
        return self._raw.tell() / self._num_bytes if self._num_bytes else 1.0

    def __iter__(self) -> Iterator[str]:
        """The texts, without tabs and ends of line.

        Raises:
            ValueError: a line is not UTF-8 or has no such column, or the file cannot be unpacked.
        """
        lines = enumerate(self._lines(), start=1)
        try:
            for number, line in lines:
                yield self._text(line.rstrip(b"\r\n"), number)
        except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise ValueError(f"{self._path} cannot be unpacked: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raw.close()

    def _lines(self) -> BinaryIO:
        self._raw.seek(0)
        if self._path.suffix == ".gz":
            return cast("BinaryIO", gzip.open(self._raw))
        if self._path.suffix == ".xz":
            return cast("BinaryIO", lzma.open(self._raw))
        return self._raw

    def _text(self, line: bytes, number: int) -> str:
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{self._path}:{number}: not UTF-8: {error}") from None
        if self._column is None:
            return text.replace("\t", " ")
        columns = text.split("\t")
        if len(columns) < self._column:
            raise ValueError(f"{self._path}:{number}: {len(columns)} columns; --column {self._column}")
        return columns[self._column - 1]
