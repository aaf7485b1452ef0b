"""python -m service.client po against a real server with the model that ships."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from service.api.server import Server
from service.client.__main__ import main
from service.client.catalogs import command
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.files import Target, target_of
from service.client.catalogs.language import code_of_file_name
from service.client.catalogs.remote import RemoteTranslator
from service.client.catalogs.translator import Answer
from service.settings import Settings
from tests.service.catalogs.fake import HEADER, FakeTranslator

MODELS = Path(__file__).parents[3] / "models"
BODY = """#: a.c:1
msgid "Open the file."
msgstr ""

msgid "_Name:"
msgstr ""

msgid "_Edit"
msgstr "편집(_E)"

# a person's
#, fuzzy
msgid "Save the file"
msgstr "제안"
"""


@pytest.fixture
async def address() -> AsyncIterator[str]:
    server = Server(
        Settings(models=MODELS, grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", device="cpu"), "test"
    )
    await server.start()
    yield server.grpc_address
    await server.stop()


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["po", *arguments])


def catalog(directory: Path, body: str = BODY) -> Path:
    path = directory / "test.po"
    path.write_text(HEADER + body)
    return path


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


async def test_a_catalog_is_filled_kept_and_reported(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = catalog(tmp_path), tmp_path / "report.json"
    path.chmod(0o640)
    before = path.read_text()
    flags = ("--address", address, "--report", str(report))
    assert await run(str(path), *flags, "--dry-run") == 0
    assert path.read_text() == before
    assert await run(str(path), *flags) == 0
    written = path.read_text()
    told = json.loads(report.read_text())["files"][0]
    assert await run(str(path), *flags) == 0
    assert "2 filled (2 by the model), 0 left, 1 translated before, 1 fuzzy by people" in capsys.readouterr().out
    assert re.search(r'#, fuzzy\nmsgid "Open the file\."\nmsgstr "[^"]*[가-힣][^"]*\."\n', written)
    assert re.search(r'#, fuzzy\nmsgid "_Name:"\nmsgstr "[^"]*[가-힣]\(_N\):"\n', written)
    assert re.search(
        r"^# seq2serve: score -?[\d.]+, model en-ko-software \S+, text [0-9a-f]{8}$", written, re.MULTILINE
    )
    assert written.endswith(BODY[BODY.index('msgid "_Edit"') :])
    assert path.read_text() == written
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry["source"] for entry in told["filled"]] == ["Open the file.", "_Name:"]
    assert names(tmp_path) == ["report.json", "test.po"]


async def test_exit_codes(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = catalog(tmp_path)
    flags = ("--address", address)
    assert await run(str(path), *flags, "--model", "none") == 3
    assert await run(str(path), *flags, "--target-language", "de") == 2
    assert await run(str(path), *flags, "--beam-size", "99") == 2
    assert await run(str(tmp_path / "none.po"), *flags) == 2
    assert await run(str(tmp_path / "a.docx"), *flags) == 2
    template = tmp_path / "x.pot"
    template.write_text(path.read_text())
    assert await run(str(template), *flags) == 2
    assert "needs --target-language" in capsys.readouterr().err
    assert await run(str(path), "--address", "127.0.0.1:1") == 4


async def test_terms_and_refusals_come_through(address: str) -> None:
    def use() -> tuple[list[Answer], list[Answer], list[Answer]]:
        chosen = {"model": "", "source_language": "en", "target_language": "ko"}
        with RemoteTranslator(address, **chosen, timeout_seconds=60) as translate:
            many = translate([f"File {number}" for number in range(200)], {}, 1)
            return many, translate(["Open the file."], {"file": "문서"}, 8), translate(["a"], {"": "b"}, 8)

    many, constrained, refused = await asyncio.to_thread(use)
    assert len(many) == 200
    assert all(str(number) in answer.candidates[0].text for number, answer in enumerate(many) if number in (7, 150))
    assert len(constrained[0].candidates) > 1
    assert all("문서" in candidate.text for candidate in constrained[0].candidates)
    assert "terminology" in refused[0].refusal


@pytest.mark.usefixtures("msgfmt_program")
async def test_a_file_that_msgfmt_refuses_is_not_touched(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = catalog(tmp_path, BODY + '\n#, c-format\nmsgid "%d"\nmsgstr "%s"\n')
    before = path.read_bytes()
    assert await run(str(path), "--address", address) == 2
    assert re.search(r"test\.po:\d+: msgfmt --check: format specifications", capsys.readouterr().err)
    assert path.read_bytes() == before
    assert await run(str(path), "--address", address, "--no-msgfmt") == 0
    assert path.read_bytes() != before


class Stopping(FakeTranslator):
    """Answers the first call; the next ends like a user who presses Ctrl-C, or a service that goes away."""

    error: BaseException = KeyboardInterrupt()

    def __call__(self, *arguments: object) -> list[Answer]:
        if self.calls:
            raise self.error
        return super().__call__(*arguments)  # type: ignore[arg-type]

    def __enter__(self) -> Stopping:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def model(self, beam_size: int) -> str:
        return "fake 1"


class Gone(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "gone"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Gone(), 4)])
def test_what_was_done_is_kept_when_a_run_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    path = catalog(
        tmp_path, "".join(f'msgid "text {chr(97 + n // 26)}{chr(97 + n % 26)}"\nmsgstr ""\n\n' for n in range(300))
    )
    monkeypatch.setattr(Stopping, "error", error)
    monkeypatch.setattr(command, "RemoteTranslator", lambda *_, **__: Stopping())
    counts = []
    for _ in range(3):
        last = main(["po", str(path)])
        counts.append(path.read_text().count("# seq2serve: "))
        if len(counts) < 3:
            assert last == code
    assert counts == [128, 256, 300]
    assert last == 0


def test_what_exists_is_not_replaced_by_an_output(tmp_path: Path) -> None:
    source, output = catalog(tmp_path), tmp_path / "out.po"
    assert target_of(source, "ko", output) == output
    assert target_of(source, "ko", source) == source
    output.write_text("somebody's")
    with pytest.raises(CatalogError, match=r"out\.po: exists already and may be somebody's work"):
        target_of(source, "ko", output)


@pytest.mark.parametrize(("stem", "code"), [("pt_BR", "pt-BR"), ("ko", "ko"), ("app", ""), ("messages", "")])
def test_a_file_is_named_by_a_language_of_two_letters(stem: str, code: str) -> None:
    assert code_of_file_name(stem) == code


def test_a_file_that_somebody_else_changed_is_left_alone(tmp_path: Path) -> None:
    path = catalog(tmp_path)
    target = Target(path)
    target.replace(b"ours")
    target.replace(b"ours again")
    path.write_bytes(b"theirs")
    with pytest.raises(ValueError, match="changed meanwhile"):
        target.replace(b"ours")
    assert path.read_bytes() == b"theirs"
