"""The command on an archive of files that the test wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import polib
import pytest

from training.__main__ import main
from training.corpus import command
from training.corpus.debian import Offer, Package
from training.corpus.pairs import Corpus
from training.corpus.text import Entry
from training.errors import TrainingError

CATALOGS = {
    "libvirt-l10n": {"Open the file": "파일 열기", "Delete page 1": "1쪽 삭제", "Close": "닫기"},
    "libc-l10n": {
        "Open the file.": "다른 것",
        "No such process": "그런 프로세스가 없습니다",
        "No such file": "No such file",
    },
}


class FakeArchive:
    """Has the packages of CATALOGS, of one megabyte each, and no descriptions."""

    def __init__(self, cache: Path, is_update: bool = False) -> None:
        self.cache = cache

    def offers(self, names: Sequence[str]) -> dict[str, Offer]:
        return {name: Offer(name, "1.0", 2**20, f"{name}_1.0_all.deb") for name in names if name in CATALOGS}

    def packages(self, offers: Sequence[Offer]) -> dict[str, Package]:
        return {offer.name: Package(offer.name, "1.0", "0a", 2**20, self._unpack(offer.name)) for offer in offers}

    def descriptions(self, language: str) -> tuple[str, str, int]:
        raise TrainingError(f"no descriptions in {language}")

    def _unpack(self, name: str) -> Path:
        directory = self.cache / name / "usr/share/locale/ko/LC_MESSAGES"
        directory.mkdir(parents=True, exist_ok=True)
        catalog = polib.POFile()
        catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
        catalog.extend(polib.POEntry(msgid=source, msgstr=target) for source, target in CATALOGS[name].items())
        catalog.save_as_mofile(str(directory / "x.mo"))
        return self.cache / name


@pytest.fixture(autouse=True)
def _fake_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Archive", FakeArchive)


def _run(output: Path, *flags: str) -> int:
    return main(["corpus", "--output", str(output), "--sources", "libvirt-l10n", "libc-l10n", *flags])


def test_pairs_with_provenance(tmp_path: Path) -> None:
    assert _run(tmp_path) == 0
    assert (tmp_path / "en-ko.tsv").read_text() == (
        "source\ttarget\torigin\tlicence\n"
        "Close\t닫기\tlibvirt-l10n\tLGPL-2.1-or-later\n"
        "Delete page 1\t1쪽 삭제\tlibvirt-l10n\tLGPL-2.1-or-later\n"
        "Open the file\t파일 열기\tlibvirt-l10n\tLGPL-2.1-or-later\n"
        "No such process\t그런 프로세스가 없습니다\tlibc-l10n\tLGPL-2.1-or-later\n"
    )
    datasheet = json.loads((tmp_path / "en-ko.datasheet.json").read_text())
    assert datasheet["pairs"] == 4
    assert datasheet["pairs_by_licence"] == {"LGPL-2.1-or-later": 4}
    assert datasheet["pairs_by_source_words"]["3+"] == 3
    assert datasheet["sources"][1] == {
        "origin": "libc-l10n",
        "licence": "LGPL-2.1-or-later",
        "files": [{"name": "libc-l10n", "version": "1.0", "sha256": "0a", "bytes": 2**20}],
        "found": 3,
        "dropped": {"duplicate": 1, "identical": 1},
        "kept": 1,
    }


def test_the_same_packages_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("first", "second"):
        assert _run(tmp_path / name, "--cache", str(tmp_path / f"cache of {name}")) == 0
        files = sorted((tmp_path / name).iterdir())
        digests.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert [name for name, _ in digests[0]] == ["en-ko.datasheet.json", "en-ko.tsv"]
    assert digests[0] == digests[1]


def test_missing_sources_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--sources", "ddtp", "libc-l10n", "vlc-l10n"]
    assert _run(tmp_path, *flags) == 0
    assert "missing: vlc-l10n: vlc-l10n: the archive has no such package" in capsys.readouterr().err
    datasheet = json.loads((tmp_path / "en-ko.datasheet.json").read_text())
    assert [source["origin"] for source in datasheet["sources"]] == ["libc-l10n"]
    assert [missing["origin"] for missing in datasheet["missing"]] == ["ddtp", "vlc-l10n: vlc-l10n"]
    assert _run(tmp_path, *flags, "--strict") == 2
    assert "no descriptions in ko" in capsys.readouterr().err


def test_a_budget_leaves_out_what_comes_last(tmp_path: Path) -> None:
    assert _run(tmp_path, "--budget-mebibytes", "1.5") == 0
    datasheet = json.loads((tmp_path / "en-ko.datasheet.json").read_text())
    assert [source["origin"] for source in datasheet["sources"]] == ["libvirt-l10n"]
    assert datasheet["missing"] == [{"origin": "libc-l10n", "reason": "over the budget"}]


def test_sources_of_test_sets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "test.guide.en-ko.tsv").write_text("source\ttarget\torigin\tlicence\nOpen the file!\tx\nclose\ty\n")
    (tmp_path / "test.guide.en-de.tsv").write_text("source\ttarget\torigin\tlicence\nDelete page 1\tz\n")
    assert _run(tmp_path) == 0
    sources = [line.split("\t")[0] for line in (tmp_path / "en-ko.tsv").read_text().splitlines()[1:]]
    assert sources == ["Delete page 1", "Open the file", "No such process"]
    datasheet = json.loads((tmp_path / "en-ko.datasheet.json").read_text())
    assert datasheet["sources"][0]["dropped"] == {"in a test set": 1}


def test_the_most_frequent_translation_is_kept(tmp_path: Path) -> None:
    corpus = Corpus("ko")
    corpus.add(
        "x", "MIT", [Entry("Open", "열기"), Entry("_Open", "여는"), Entry("open", "여는"), Entry("open", "여는")], []
    )
    assert [line.entry.target for line in corpus.lines.values()] == ["여는"]


def test_near_duplicates_are_few() -> None:
    corpus = Corpus("ko")
    num_kept = corpus.add("x", "MIT", [Entry(f"Page {number}", f"{number}쪽") for number in range(9)], [])
    assert num_kept == 3


def test_a_test_set_is_gathered_for_its_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(command, "gather_test_set", lambda name, _, language, *__: asked.append((name, language)))
    assert main(["corpus", "--output", str(tmp_path), "--languages", "en-ko", "en-de", "--test-sets"]) == 0
    assert [language for name, language in asked if name == "debian-faq"] == ["de"]
    assert [language for name, language in asked if name == "udhr"] == ["ko", "de"]
