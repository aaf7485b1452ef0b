"""Which packages hold translations, in which format, under which licence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpus import formats
from training.corpus.debian import Archive, Package
from training.corpus.text import Entry

Reader = Callable[[dict[str, Package], str], Iterator[Entry]]


@dataclass(frozen=True)
class Source:
    """One origin of text. Adding one is a line in SOURCES."""

    name: str
    """What the origin column says."""
    licence: str
    packages: Callable[[str], tuple[str, ...]]
    """The packages that a language needs; the English side among them."""
    read: Reader
    """Entries, from the unpacked packages by name, for a language."""


def _mozilla(product: str) -> Source:
    def packages(language: str) -> tuple[str, ...]:
        return f"{product}-l10n-en-gb", f"{product}-l10n-{_mozilla_code(language).lower()}"

    def read(unpacked: dict[str, Package], language: str) -> Iterator[Entry]:
        english, other = (_only(unpacked[name].directory, "**/*.xpi") for name in packages(language))
        yield from formats.pair_up(formats.read_language_pack(english), formats.read_language_pack(other))

    return Source(product, "MPL-2.0", packages, read)


def _mozilla_code(language: str) -> str:
    return {"es": "es-ES"}.get(language, language)


def _catalogs(name: str, licence: str, package: str) -> Source:
    def packages(language: str) -> tuple[str, ...]:
        return (package.format(language=language),)

    def read(unpacked: dict[str, Package], language: str) -> Iterator[Entry]:
        for found in unpacked.values():
            yield from formats.read_catalogs(found.directory, language)

    return Source(name, licence, packages, read)


def _read_help(unpacked: dict[str, Package], language: str) -> Iterator[Entry]:
    english, other = (
        formats.read_help(_only(unpacked[f"libreoffice-help-{code}"].directory, f"**/help/{folder}"))
        for code, folder in (("en-us", "en-US"), (language, language))
    )
    yield from formats.pair_up(english, other)


def _read_chromium(unpacked: dict[str, Package], language: str) -> Iterator[Entry]:
    english, other = (
        formats.read_pak(_only(unpacked["chromium-l10n"].directory, f"**/locales/{code}.pak"))
        for code in ("en-GB", language)
    )
    yield from formats.pair_up(english, other)


SOURCES = (
    Source(
        "libreoffice-help",
        "MPL-2.0",
        lambda language: ("libreoffice-help-en-us", f"libreoffice-help-{language}"),
        _read_help,
    ),
    _catalogs("libreoffice-l10n", "MPL-2.0", "libreoffice-l10n-{language}"),
    _mozilla("firefox-esr"),
    _mozilla("thunderbird"),
    Source("chromium", "BSD-3-Clause", lambda _: ("chromium-l10n",), _read_chromium),
    _catalogs("libvirt-l10n", "LGPL-2.1-or-later", "libvirt-l10n"),
    _catalogs("vlc-l10n", "GPL-2.0-or-later", "vlc-l10n"),
    _catalogs("cinnamon-l10n", "GPL-2.0-or-later", "cinnamon-l10n"),
    _catalogs("audacity-data", "GPL-2.0-or-later", "audacity-data"),
    _catalogs("libgtk-3-common", "LGPL-2.0-or-later", "libgtk-3-common"),
    _catalogs("evolution-common", "LGPL-2.1-or-later", "evolution-common"),
    _catalogs("libc-l10n", "LGPL-2.1-or-later", "libc-l10n"),
)
DESCRIPTIONS = "ddtp"
DESCRIPTIONS_LICENCE = "per package"


def read_descriptions(archive: Archive, language: str) -> Iterator[Entry]:
    """Package descriptions, paired by checksum and paragraph."""
    english = formats.parse_descriptions(archive.descriptions("en")[0], "en")
    other = formats.parse_descriptions(archive.descriptions(language)[0], language)
    for checksum, paragraphs in english.items():
        translated = other.get(checksum, [])
        if len(translated) == len(paragraphs):
            yield from (Entry(*pair) for pair in zip(paragraphs, translated, strict=True))


def _only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if not found:
        raise ValueError(f"nothing matches {pattern}: the package is laid out in another way now")
    return found[0]
