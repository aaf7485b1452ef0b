"""Debian packages, downloaded and unpacked without touching the machine's own package lists."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.atomic import locked, new_directory
from training.errors import TrainingError
from training.provenance import sha256_of

LANGUAGES = ("ko", "de", "fr", "es")


@dataclass(frozen=True)
class Package:
    """A downloaded and unpacked package."""

    name: str
    version: str
    sha256: str
    num_bytes: int
    directory: Path
    """Where its files are."""


@dataclass(frozen=True)
class Offer:
    """What the archive says of a package."""

    name: str
    version: str
    num_bytes: int
    file_name: str


class Archive:
    """The archive that this machine's apt is set up for, with lists and downloads in a directory of our own.

    Lists are fetched once: the same directory gives the same packages until it is told to update.
    """

    def __init__(self, cache: Path, is_update: bool = False) -> None:
        """Fetch the package lists, the translated descriptions and the lists of source packages.

        Raises:
            TrainingError: this is no Debian-like machine, or the archive does not answer.
        """
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise TrainingError(f"corpus needs {tool}: run it on Debian or Ubuntu, or in a container of it")
        self.cache = cache.resolve()
        """Where downloads are."""
        self._lists = self.cache / "lists"
        for folder in ("lists/partial", "archives/partial", "debs", "src", "unpacked", "sources"):
            (self.cache / folder).mkdir(parents=True, exist_ok=True)
        self._options = [
            f"-oDir::State::Lists={self._lists}",
            f"-oDir::Cache={self.cache}",
            "-oDir::Cache::pkgcache=",
            "-oDir::Cache::srcpkgcache=",
            "-oDir::Etc::SourceList=/dev/null",
            f"-oDir::Etc::SourceParts={self.cache / 'sources'}",
            f"-oAcquire::Languages={','.join(('en', *LANGUAGES))}",
            "-oAPT::Sandbox::User=",
        ]
        self._offers: dict[str, Offer | None] = {}
        if is_update or not list(self._lists.glob("*_Sources*")):
            _copy_sources(Path("/etc/apt"), self.cache / "sources")
            self._apt("update")

    def offers(self, names: Sequence[str]) -> dict[str, Offer]:
        """What the archive has of these packages, by name; others are absent. Asking for many at once is quicker."""
        unknown = [name for name in names if name not in self._offers]
        if unknown:
            self._offers.update(dict.fromkeys(unknown))
            command = ["apt-cache", *self._options, "--no-all-versions", "show", *unknown]
            # It ends with an error where it knows all but one of them.
            shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            self._offers.update(
                {found.name: found for stanza in shown.split("\n\n") if (found := _parse_offer(stanza)) is not None}
            )
        return {name: offer for name in names if (offer := self._offers.get(name)) is not None}

    def packages(self, offers: Sequence[Offer]) -> dict[str, Package]:
        """Download what the cache lacks, all at once, and unpack it; packages by name.

        Raises:
            TrainingError: a download failed.
        """
        debs = self.cache / "debs"
        with locked(self.cache / "in use"):
            lacking = [offer for offer in offers if not (debs / offer.file_name).is_file()]
            if lacking:
                self._apt("download", *(f"{offer.name}={offer.version}" for offer in lacking), directory=debs)
            return {offer.name: self._unpack(offer, debs / offer.file_name) for offer in offers}

    def source_package(self, name: str) -> Package:
        """Download a source package and unpack its catalogs (.po).

        Raises:
            TrainingError: the archive lacks it, or a download failed.
        """
        with locked(self.cache / "in use"):
            folder = self.cache / "src" / name
            if not list(folder.glob("*.dsc")):
                with new_directory(folder) as directory:
                    self._download_source(name, directory)
            return _unpack_source(name, folder, self.cache / "unpacked")

    def descriptions(self, language: str) -> tuple[str, str, int]:
        """The translated package descriptions: their text, SHA-256 and size.

        Raises:
            TrainingError: the archive has none in that language.
        """
        files = sorted(self._lists.glob(f"*_i18n_Translation-{language}*"))
        if not files:
            raise TrainingError(f"the archive has no package descriptions in {language!r}")
        digest = hashlib.sha256()
        parts = []
        for file in files:
            # apt keeps lists packed in whatever way it is set up for, and unpacks them itself.
            parts.append(run_tool(["/usr/lib/apt/apt-helper", "cat-file", str(file)]))
            digest.update(parts[-1].encode())
        return "\n".join(parts), digest.hexdigest(), sum(file.stat().st_size for file in files)

    def _unpack(self, offer: Offer, file: Path) -> Package:
        unpacked = self.cache / "unpacked" / file.stem
        if not unpacked.is_dir():
            partial = unpacked.with_name(f".{unpacked.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            run_tool(["dpkg-deb", "-x", str(file), str(partial)])
            partial.replace(unpacked)
        return Package(offer.name, offer.version, sha256_of(file), file.stat().st_size, unpacked)

    def _download_source(self, name: str, directory: Path) -> None:
        shown = run_tool(["apt-cache", *self._options, "showsrc", "--only-source", name])
        versions = list(dict.fromkeys(re.findall(r"^Version: (\S+)$", shown, re.MULTILINE)))
        for version in reversed(versions):
            try:
                self._apt("source", "--download-only", f"{name}={version}", directory=directory)
            except TrainingError:
                # The archive may have dropped a version that its lists still name.
                continue
            return
        raise TrainingError(f"the archive has no source package {name}")

    def _apt(self, *arguments: str, directory: Path | None = None) -> None:
        run_tool(["apt-get", "-q", *self._options, *arguments], directory)


def _copy_sources(machine: Path, private: Path) -> None:
    """The machine's own sources, asked for source packages too."""
    for path in (machine / "sources.list", *sorted((machine / "sources.list.d").glob("*.list"))):
        if path.is_file():
            lines = [line for line in path.read_text().splitlines() if line.startswith("deb ")]
            asked = [entry for line in lines for entry in (line, line.replace("deb ", "deb-src ", 1))]
            (private / f"{path.stem}.list").write_text("".join(f"{line}\n" for line in asked))
    for path in sorted((machine / "sources.list.d").glob("*.sources")):
        text = re.sub(r"^Types:.*$", "Types: deb deb-src", path.read_text(), flags=re.MULTILINE)
        (private / path.name).write_text(text)


def _parse_offer(stanza: str) -> Offer | None:
    fields = dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE))
    if not fields:
        return None
    file_name = f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}_{fields['Architecture']}.deb"
    return Offer(fields["Package"], fields["Version"], int(fields["Size"]), file_name)


def _unpack_source(name: str, folder: Path, unpacked: Path) -> Package:
    description = next(folder.glob("*.dsc"))
    place = unpacked / description.stem
    if not place.is_dir():
        with new_directory(place) as directory:
            for tarball in sorted(folder.glob("*.tar.*")):
                if tarball.suffix in (".xz", ".gz", ".bz2"):
                    _unpack_catalogs(tarball, directory)
    version = re.search(r"^Version: (\S+)$", description.read_text(errors="replace"), re.MULTILINE)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Package(f"src:{name}", version[1] if version else "", sha256_of(description), size, place)


def _unpack_catalogs(tarball: Path, directory: Path) -> None:
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".po"):
                archive.extract(member, directory, filter="data")


def run_tool(command: list[str], directory: Path | None = None) -> str:
    """What a command prints.

    Raises:
        TrainingError: it failed; with its last line.
    """
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise TrainingError(f"{command[0]} {command[-1]} failed: {reason[0]}")
    return done.stdout
