"""A translator that a reader can compute: Korean words for known texts, and whatever a test puts in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.client.catalogs.accelerators import style_of
from service.client.catalogs.entry import Catalog
from service.client.catalogs.filling import FillingOptions, Outcome, fill
from service.client.catalogs.memory import Memory
from service.client.catalogs.po import PoCatalog
from service.client.catalogs.solving import Solver
from service.client.catalogs.translator import Answer, Candidate

HEADER = r"""msgid ""
msgstr ""
"Language: ko\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=1; plural=0;\n"

"""


class FakeTranslator:
    """Answers from a table; a text that is not in it becomes `가 ` and itself."""

    def __init__(self, table: Mapping[str, Sequence[str]] | None = None) -> None:
        self.table = table or {}
        self.calls: list[tuple[list[str], dict[str, str], int]] = []

    def __call__(self, texts: Sequence[str], terms: Mapping[str, str], beam_size: int) -> list[Answer]:
        self.calls.append((list(texts), dict(terms), beam_size))
        return [self._answer(text, terms) for text in texts]

    @property
    def asked(self) -> list[str]:
        return [text for texts, _, _ in self.calls for text in texts]

    def _answer(self, text: str, terms: Mapping[str, str]) -> Answer:
        key = f"{text} {sorted(terms.items())}" if terms else text
        found = self.table.get(key, self.table.get(text, [f"가 {text}"]))
        return Answer(tuple(Candidate(target, -1.0 - place) for place, target in enumerate(found)))


def filled(
    catalog: Catalog,
    translate: FakeTranslator | None = None,
    options: FillingOptions | None = None,
    language: str = "ko",
) -> Outcome:
    """A catalog filled by a fake."""
    outcome = Outcome()
    marks = style_of(catalog.entries, catalog.accelerator)
    memory = Memory(catalog.entries, marks)
    solver = Solver(translate or FakeTranslator(), memory, language=language, marks=marks, beam_size=4)
    fill(
        catalog,
        solver,
        outcome,
        options=options or FillingOptions(),
        model="fake 1",
        after_portion=lambda done, total: None,
    )
    return outcome


def po(body: str) -> PoCatalog:
    """A Korean catalog with these messages."""
    return PoCatalog((HEADER + body).encode(), "test.po")


def filled_po(body: str, translate: FakeTranslator | None = None, options: FillingOptions | None = None) -> str:
    """The messages of such a catalog after filling."""
    catalog = po(body)
    return catalog.content(filled(catalog, translate, options).fillings).decode().removeprefix(HEADER)
