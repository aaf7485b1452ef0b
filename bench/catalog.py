"""python -m bench.catalog FILE.mo: blank a person's catalog, fill it through a server, compare.

Most translations are taken out, the others stay as a person's work. The filled catalog is checked with msgfmt and
against what the person wrote. The catalog should be of a package that the model never saw.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polib
import sacrebleu

from bench.processes import our_server
from service.client.__main__ import main as client_main
from service.client.catalogs import msgfmt
from service.client.catalogs.placeholders import difference

MAX_ROWS = 64
_KDE = re.compile(r"%\d")
_PRINTF = re.compile(r"%[-+#0']*\d*(\.\d+)?[hlLqjzt]*[diouxXeEfgGcsp]")


def main() -> None:
    """Fill and print counts, scores and, if asked for, examples to review."""
    parser = argparse.ArgumentParser(prog="python -m bench.catalog", description=__doc__)
    parser.add_argument("catalogs", nargs="+", type=Path, metavar="FILE", help=".mo or .po, translated by people")
    parser.add_argument("--bundle", type=Path, default=Path("models/en-ko-software"))
    parser.add_argument(
        "--keep", type=float, default=0.2, help="share of translations that stay (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print that many filled entries beside the person's")
    parser.add_argument("--terminology", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    with our_server(options.bundle, options.threads, MAX_ROWS) as server, tempfile.TemporaryDirectory() as directory:
        for catalog in options.catalogs:
            _trial(catalog, server.address, Path(directory), options)


def _trial(path: Path, address: str, directory: Path, options: argparse.Namespace) -> None:
    blank, report = directory / f"{path.stem}.po", directory / "report.json"
    human = _blanked(path, blank, options.keep, options.seed)
    begin = time.perf_counter()
    flags = [] if options.terminology else ["--no-terminology"]
    code = client_main(["po", str(blank), "--address", address, "--report", str(report), *flags])
    seconds = time.perf_counter() - begin
    if code:
        raise SystemExit(code)
    told = json.loads(report.read_text())["files"][0]
    pairs = [(entry, entry["targets"][0], human[entry["context"], entry["source"]]) for entry in told["filled"]]
    _print(path, told, pairs, blank.read_bytes(), seconds)
    random.Random(options.seed).shuffle(pairs)  # noqa: S311
    for entry, filled, wanted in pairs[: options.show]:
        print(json.dumps([entry["source"], filled, wanted], ensure_ascii=False))


def _print(path: Path, told: dict[str, Any], pairs: list[Any], content: bytes, seconds: float) -> None:
    asked = told["num_filled"] + told["num_left"]
    filled, wanted = [pair[1] for pair in pairs], [pair[2] for pair in pairs]
    same = sum(a == b for a, b in zip(filled, wanted, strict=True))
    print(f"{path.stem}: {told['num_filled']} of {asked} filled ({told['num_filled'] / asked:.1%}) in {seconds:.0f} s")
    print(f"  equal to the person's: {same} ({same / max(len(pairs), 1):.1%})")
    print(f"  chrF2: {sacrebleu.corpus_chrf(filled, [wanted]).score:.1f}")
    origins = Counter(pair[0]["origin"] for pair in pairs)
    print(f"  from: {dict(origins)}; left: {dict(Counter(left['reason'].split(':')[0] for left in told['left']))}")
    wrong = msgfmt.complaints(content, with_fuzzy=True) if msgfmt.is_installed() else "not installed"
    print(f"  msgfmt --check --use-fuzzy: {wrong or 'passes'}")


def _blanked(path: Path, output: Path, keep: float, seed: int) -> dict[tuple[str | None, str], str]:
    """Write the catalog without most of its translations; returns all of them, by context and source."""
    catalog = polib.mofile(str(path)) if path.suffix == ".mo" else polib.pofile(str(path))
    chance = random.Random(seed)  # noqa: S311
    human = {}
    blank = polib.POFile()
    blank.metadata = catalog.metadata
    for entry in catalog:
        is_fuzzy = entry.obsolete or "fuzzy" in entry.flags
        if is_fuzzy or not (entry.msgstr or any(entry.msgstr_plural.values())):
            continue
        human[entry.msgctxt, entry.msgid] = entry.msgstr or entry.msgstr_plural[0]
        is_kept = chance.random() < keep
        blank.append(
            polib.POEntry(
                msgctxt=entry.msgctxt,
                msgid=entry.msgid,
                msgid_plural=entry.msgid_plural or "",
                msgstr=entry.msgstr if is_kept else "",
                msgstr_plural=entry.msgstr_plural if is_kept else dict.fromkeys(entry.msgstr_plural, ""),
                flags=sorted({*entry.flags, *_flags(entry)}),
            )
        )
    blank.save(str(output))
    return human


def _flags(entry: polib.POEntry | polib.MOEntry) -> set[str]:
    """The format that a .mo file no longer tells."""
    target = entry.msgstr or entry.msgstr_plural[0]
    source = entry.msgid_plural or entry.msgid
    flag = "kde-format" if _KDE.search(source) else "c-format" if _PRINTF.search(source) else None
    return {flag} if flag and difference(source, target, {flag}) is None else set()


if __name__ == "__main__":
    main()
