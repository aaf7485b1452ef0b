from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import polib
import pytest

from training.corpus.formats.chromium import read_pak
from training.corpus.formats.gettext import parse_mo, read_catalogs, read_po
from training.corpus.formats.josm import read_josm
from training.corpus.formats.json_messages import parse_messages, read_json_messages
from training.corpus.formats.libreoffice import read_help
from training.corpus.formats.mozilla import read_language_pack
from training.corpus.text import Entry


def _catalog() -> polib.POFile:
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Plural-Forms": "nplurals=2; plural=n!=1;"}
    catalog.append(polib.POEntry(msgid="Open", msgstr="열기", msgctxt="menu"))
    catalog.append(
        polib.POEntry(msgid="%d file", msgid_plural="%d files", msgstr_plural={0: "파일 %d개", 1: "파일들 %d개"})
    )
    return catalog


ENTRIES = [Entry("%d file", "파일 %d개"), Entry("%d files", "파일들 %d개"), Entry("Open", "열기")]


@pytest.mark.parametrize("place", ["locale/ko/LC_MESSAGES/x.mo", "x/ko_KR/x.mo", "languages/admin-ko_KR.mo"])
def test_gettext_catalogs_with_contexts_and_plurals(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    _catalog().save_as_mofile(str(path))
    assert sorted(read_catalogs(tmp_path, "ko"), key=lambda entry: entry.source) == ENTRIES
    assert list(read_catalogs(tmp_path, "de")) == []


def test_catalogs_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "locales.zip", "w") as archive:
        archive.writestr("ko/messages.mo", _catalog().to_binary())
        archive.writestr("fr/messages.mo", b"")
    assert sorted(read_catalogs(tmp_path, "ko"), key=lambda entry: entry.source) == ENTRIES


def test_a_catalog_of_unknown_charset_is_utf_8() -> None:
    content = _catalog().to_binary().replace(b"charset=UTF-8", b"charset=CHARS")
    assert Entry("Open", "열기") in parse_mo(content, "x.mo")


def test_damaged_catalogs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x\.mo is no gettext catalog"):
        list(parse_mo(b"", "x.mo"))
    with pytest.raises(ValueError, match="ends within its tables"):
        list(parse_mo(_catalog().to_binary()[:40], "x.mo"))


def test_source_catalogs_without_doubtful_and_obsolete_entries(tmp_path: Path) -> None:
    catalog = _catalog()
    catalog.append(polib.POEntry(msgid="a", msgstr="가", flags=["fuzzy"]))
    catalog.append(polib.POEntry(msgid="b", msgstr="나", obsolete=True))
    catalog.save(str(tmp_path / "ko.po"))
    assert sorted(read_po(tmp_path / "ko.po"), key=lambda entry: entry.source) == ENTRIES


def test_chromium_locales(tmp_path: Path) -> None:
    texts = ["열기".encode(), b"", "닫기".encode()]
    offset = 12 + 6 * 4
    table = b""
    for number, text in zip((7, 8, 9), texts, strict=True):
        table += struct.pack("<HI", number, offset)
        offset += len(text)
    path = tmp_path / "ko.pak"
    path.write_bytes(struct.pack("<IB3xHH", 5, 1, 3, 0) + table + struct.pack("<HI", 0, offset) + b"".join(texts))
    assert read_pak(path) == {"7": "열기", "8": "", "9": "닫기"}
    path.write_bytes(struct.pack("<IB3xHH", 4, 1, 0, 0))
    with pytest.raises(ValueError, match="pak version 4"):
        read_pak(path)


def test_language_packs(tmp_path: Path) -> None:
    fluent = "-brand = Firefox\nopen = Open { $name }\n    .label = Label\nn = { $n ->\n  [one] a\n *[other] b\n }\n"
    path = tmp_path / "pack.xpi"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("localization/ko/browser/menu.ftl", fluent)
        archive.writestr("chrome/ko/locale/ko/alerts/alert.properties", "# note\nclose = \\uB2EB\\uAE30\nbad line\n")
        archive.writestr("manifest.json", "{}")
    assert read_language_pack(path) == {
        "browser/menu.ftl:open": "Open { $name }",
        "browser/menu.ftl:open.label": "Label",
        "alerts/alert.properties:close": "닫기",
    }


def test_help_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    page = '<h1 id="hd_id1">A <em>b</em></h1><p id="par_id2">C &amp; d</p><p>no id</p><p id="bm_3">e</p>'
    (tmp_path / "text/a.html").write_text(page)
    assert read_help(tmp_path) == {"text/a.html:hd_id1": "A b", "text/a.html:par_id2": "C & d"}


def test_josm_language_files(tmp_path: Path) -> None:
    def lengths(*texts: str | int) -> bytes:
        return b"".join(
            text.to_bytes(2) if isinstance(text, int) else len(text.encode()).to_bytes(2) + text.encode()
            for text in texts
        )

    (tmp_path / "en.lang").write_bytes(lengths("Open", "Same", "None", "Close", 0xFFFF, "plural"))
    (tmp_path / "ko.lang").write_bytes(lengths("열기", 0xFFFE, 0, "닫기", 0xFFFF, "복수"))
    found = list(read_josm(tmp_path / "en.lang", tmp_path / "ko.lang"))
    assert found == [Entry("Open", "열기"), Entry("Close", "닫기")]


def test_json_messages(tmp_path: Path) -> None:
    (tmp_path / "i18n").mkdir()
    (tmp_path / "i18n/en.json").write_text('{"@metadata": {}, "a": "Open", "b": "Close"}')
    (tmp_path / "i18n/ko.json").write_text('{"@metadata": {"authors": []}, "a": "열기", "c": "다른"}')
    assert list(read_json_messages(tmp_path, "ko")) == [Entry("Open", "열기")]
    assert list(read_json_messages(tmp_path, "de")) == []
    with pytest.raises(ValueError, match="must be a JSON object"):
        parse_messages(b"[]")
