"""Which packages hold translations, in which format, under which licence: most pairs for a megabyte first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from training.corpus import catalogs
from training.corpus.debian import Package
from training.corpus.formats.blocks import align
from training.corpus.formats.chromium import read_pak
from training.corpus.formats.files import only, read
from training.corpus.formats.gettext import read_catalogs, read_po
from training.corpus.formats.html_pages import parse_html
from training.corpus.formats.josm import read_josm
from training.corpus.formats.json_messages import read_json_messages
from training.corpus.formats.keyed import pair_up
from training.corpus.formats.libreoffice import read_help
from training.corpus.formats.mallard import read_mallard
from training.corpus.formats.mozilla import read_language_pack
from training.corpus.formats.roff import read_manpages
from training.corpus.text import Entry

Packages = dict[str, Package]
DESCRIPTIONS = "ddtp"
DESCRIPTIONS_LICENCE = "per package"


@dataclass(frozen=True)
class Source:
    """One origin of text."""

    name: str
    """What the origin column says."""
    licence: str
    """SPDX expression of most of it."""
    packages: Callable[[str], tuple[str, ...]]
    """The packages that a language needs, the English side among them; `src:NAME` is a source package."""
    read: Callable[[Packages, str], Iterator[Entry]]
    """Entries, from the unpacked packages by name, for a language."""
    is_interface: bool = True
    """Whether its texts mark keys of menus (_File)."""
    languages: tuple[str, ...] = ("ko", "de", "fr", "es")


def _catalog(package: str, licence: str) -> Source:
    def packages(language: str) -> tuple[str, ...]:
        return (package.format(language=language),)

    def read(unpacked: Packages, language: str) -> Iterator[Entry]:
        for found in unpacked.values():
            yield from read_catalogs(found.directory, language)

    return Source(package.removesuffix("-{language}"), licence, packages, read)


def _mozilla(product: str) -> Source:
    def packages(language: str) -> tuple[str, ...]:
        return f"{product}-l10n-en-gb", f"{product}-l10n-{'es-es' if language == 'es' else language}"

    def read(unpacked: Packages, language: str) -> Iterator[Entry]:
        english, other = (only(unpacked[name].directory, "**/*.xpi") for name in packages(language))
        yield from pair_up(read_language_pack(english), read_language_pack(other))

    return Source(product, "MPL-2.0", packages, read)


def _read_libreoffice_help(unpacked: Packages, language: str) -> Iterator[Entry]:
    english, other = (
        read_help(only(unpacked[f"libreoffice-help-{code}"].directory, f"**/help/{folder}"))
        for code, folder in (("en-us", "en-US"), (language, language))
    )
    yield from pair_up(english, other)


def _read_chromium(unpacked: Packages, language: str) -> Iterator[Entry]:
    english, other = (
        read_pak(only(unpacked["chromium-l10n"].directory, f"**/locales/{code}.pak")) for code in ("en-GB", language)
    )
    yield from pair_up(english, other)


def _read_josm(unpacked: Packages, language: str) -> Iterator[Entry]:
    english, other = (only(unpacked["josm-l10n"].directory, f"**/data/{code}.lang") for code in ("en", language))
    yield from read_josm(english, other)


def _read_mediawiki(unpacked: Packages, language: str) -> Iterator[Entry]:
    yield from read_json_messages(unpacked["mediawiki"].directory, language)


def _read_gnome_help(unpacked: Packages, language: str) -> Iterator[Entry]:
    yield from read_mallard(unpacked["gnome-user-docs"].directory, language)


def _read_gimp_help(unpacked: Packages, language: str) -> Iterator[Entry]:
    english = only(unpacked["gimp-help-en"].directory, "**/help/en")
    other = only(unpacked[f"gimp-help-{language}"].directory, f"**/help/{language}")
    for path in sorted(english.glob("*.html")):
        if (other / path.name).is_file():
            yield from align(parse_html(read(path)), parse_html(read(other / path.name)))


MANUALS = (
    "manpages", "manpages-dev", "coreutils", "systemd", "git-man", "util-linux", "bsdextrautils", "mount", "procps",
    "findutils", "grep", "sed", "tar", "gzip", "diffutils", "bash", "login", "passwd", "psmisc", "wget", "cron",
)  # fmt: skip


def _read_manuals(unpacked: Packages, language: str) -> Iterator[Entry]:
    for translated in (f"manpages-{language}", f"manpages-{language}-dev", "util-linux-locales"):
        if translated in unpacked:
            for name in MANUALS:
                if name in unpacked:
                    yield from read_manpages(unpacked[name].directory, unpacked[translated].directory, language)


SOURCE_PACKAGES = ("apt", "dpkg", "aptitude", "shadow", "util-linux")


def _read_source_packages(unpacked: Packages, language: str) -> Iterator[Entry]:
    for name in SOURCE_PACKAGES:
        if f"src:{name}" in unpacked:
            for path in sorted(unpacked[f"src:{name}"].directory.glob(f"**/{language}.po")):
                yield from read_po(path)


SOURCES = (
    _mozilla("firefox-esr"),
    _mozilla("thunderbird"),
    Source(
        "libreoffice-help",
        "MPL-2.0",
        lambda language: ("libreoffice-help-en-us", f"libreoffice-help-{language}"),
        _read_libreoffice_help,
        is_interface=False,
    ),
    *(_catalog(*line) for line in catalogs.DENSE),
    Source("josm", "GPL-2.0-or-later", lambda _: ("josm-l10n",), _read_josm, is_interface=False),
    Source("chromium", "BSD-3-Clause", lambda _: ("chromium-l10n",), _read_chromium),
    Source(
        "source-packages",
        "GPL-2.0-or-later",
        lambda _: tuple(f"src:{name}" for name in SOURCE_PACKAGES),
        _read_source_packages,
        is_interface=False,
    ),
    Source(
        "manpages",
        "GPL-3.0-or-later",
        lambda language: (f"manpages-{language}", f"manpages-{language}-dev", "util-linux-locales", *MANUALS),
        _read_manuals,
        is_interface=False,
        languages=("de", "fr", "es"),
    ),
    Source("gnome-user-docs", "CC-BY-SA-3.0", lambda _: ("gnome-user-docs",), _read_gnome_help, is_interface=False),
    *(_catalog(*line) for line in catalogs.OTHERS),
    Source("mediawiki", "GPL-2.0-or-later", lambda _: ("mediawiki",), _read_mediawiki, is_interface=False),
    Source(
        "gimp-help",
        "GFDL-1.2-or-later",
        lambda language: ("gimp-help-en", f"gimp-help-{language}"),
        _read_gimp_help,
        is_interface=False,
        languages=("de", "fr", "es"),
    ),
)
