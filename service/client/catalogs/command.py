"""python -m service.client po: fill what nobody has translated in message catalogs.

Empty entries are filled, and fuzzy ones that msgmerge took from another message; translated entries, obsolete ones and
a person's fuzzy suggestions keep their bytes. What is filled is fuzzy, with its score in a comment; take the flag away,
and it is yours. JSON has no comments: there the report alone tells. Exit codes are those of python -m service.client.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from service.client.arguments import add_connection, credentials_of
from service.client.catalogs import files
from service.client.catalogs.accelerators import style_of
from service.client.catalogs.entry import Catalog
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.filling import FillingOptions, Outcome, fill
from service.client.catalogs.language import base
from service.client.catalogs.memory import Memory
from service.client.catalogs.progress import Progress
from service.client.catalogs.remote import RemoteTranslator
from service.client.catalogs.report import record, summary
from service.client.catalogs.saving import Saver
from service.client.catalogs.solving import Solver


def run(arguments: list[str]) -> None:
    """Fill the files that the arguments name.

    Raises:
        ValueError: a file or an option is wrong.
        OSError: a file cannot be read or written.
        grpc.RpcError: the service refused.
        KeyboardInterrupt: what was done until then is written.
    """
    options = _parser().parse_args(arguments)
    if options.output is not None and len(options.files) > 1:
        raise CatalogError("--output takes one file")
    records: list[dict[str, Any]] = []
    try:
        for path in options.files:
            _fill_file(path, options, records)
    finally:
        if options.report is not None:
            content = json.dumps({"files": records}, ensure_ascii=False, indent=1) + "\n"
            options.report.write_text(content, encoding="utf-8")


def _fill_file(path: Path, options: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    catalog = files.read(path, options.target_language, options.output)
    language = _language(path, catalog, options.target_language)
    target = files.Target(files.target_of(path, language, options.output))
    saver = Saver(path, catalog, None if options.dry_run else target, with_msgfmt=options.msgfmt)
    saver.check_input()
    outcome = Outcome()
    with RemoteTranslator(
        options.address,
        model=options.model,
        source_language=options.source_language,
        target_language=language,
        timeout_seconds=options.timeout,
        credentials=credentials_of(options),
    ) as translator:
        marks = style_of(catalog.entries, catalog.accelerator)
        memory = Memory(catalog.entries, marks, options.terminology)
        model = translator.model(options.beam_size)
        solver = Solver(translator, memory, language=language, marks=marks, beam_size=options.beam_size)
        progress = Progress(path.name, sys.stderr)

        def after_portion(done: int, total: int) -> None:
            progress.show(done, total)
            saver.save(outcome)

        try:
            fill(
                catalog,
                solver,
                outcome,
                options=FillingOptions(refills_suggestions=options.refill_fuzzy, refills_own=options.redo),
                model=model,
                after_portion=after_portion,
            )
        finally:
            progress.close()
            said = summary(str(path), catalog, outcome, saver.verdict)
            print(f"{said}\ndry run: nothing was written" if options.dry_run else said, flush=True)
            records.append(record(str(path), catalog, outcome, saver.verdict))


def _language(path: Path, catalog: Catalog, asked: str) -> str:
    if not asked and not catalog.language:
        raise CatalogError(f"{path}: the header has no Language; give --target-language")
    if asked and catalog.language and base(asked) != base(catalog.language):
        raise CatalogError(f"{path}: is in {catalog.language!r}, not {asked!r}")
    return catalog.language or asked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.client po", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=f"catalogs: {', '.join(files.SUFFIXES)}")
    parser.add_argument(
        "--output",
        type=Path,
        help="write here instead of in place; default for .pot LANGUAGE.po, for .json LANGUAGE.json beside it",
    )
    parser.add_argument("--dry-run", action="store_true", help="translate and report, write no catalog")
    parser.add_argument("--report", type=Path, help="write what was filled and left, and why, as JSON")
    parser.add_argument(
        "--refill-fuzzy", action="store_true", help="also a person's fuzzy entries; their text stays in a comment"
    )
    parser.add_argument("--redo", action="store_true", help="also what an earlier run wrote and nobody touched")
    parser.add_argument(
        "--terminology", action=argparse.BooleanOptionalAction, default=True, help="terms from translated entries"
    )
    parser.add_argument(
        "--msgfmt", action=argparse.BooleanOptionalAction, default=True, help="msgfmt --check before writing"
    )
    parser.add_argument("--beam-size", type=int, default=4, help="(default: %(default)s)")
    add_connection(parser, source_language="en", target_language_help="BCP-47 code; default: as the file says")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for 64 texts (default: %(default)s)")
    return parser
