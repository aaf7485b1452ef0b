"""Which translations are taken: memory, terms, the first candidate that passes, a second attempt, or none."""

from __future__ import annotations

import pytest

from service.client.catalogs import msgfmt
from service.client.catalogs.entry import Origin
from service.client.catalogs.memory import Memory
from tests.service.catalogs.fake import HEADER, FakeTranslator, filled, po


def message(source: str, target: str = "", comments: str = "") -> str:
    return f'{comments}msgid "{source}"\nmsgstr "{target}"\n\n'


def test_the_first_candidate_that_passes_is_taken() -> None:
    translate = FakeTranslator({"Delete %s?": ["삭제?", "%s을(를) 삭제할까요?", "%s 삭제?"]})
    outcome = filled(po(message("Delete %s?")), translate)
    assert outcome.fillings[0].targets == ("%s을(를) 삭제할까요?",)
    assert outcome.fillings[0].score == -2.0
    assert len(translate.calls) == 1


def test_a_second_attempt_requires_the_placeholders() -> None:
    table = {
        "<b>Delete</b> %s": ["나쁨"],
        "<b>Delete</b> %s [('%s', '%s'), ('</b>', '</b>'), ('<b>', '<b>')]": ["<b>%s</b> 삭제 "],
    }
    translate = FakeTranslator(table)
    assert filled(po(message("<b>Delete</b> %s")), translate).fillings[0].targets == ("<b>%s</b> 삭제",)
    assert [call[2] for call in translate.calls] == [4, 8]


def test_what_never_passes_is_left_with_the_reason() -> None:
    outcome = filled(
        po(message("Delete %s") + message("translator-credits") + message("x" * 20_001)),
        FakeTranslator({"Delete %s": ["삭제"]}),
    )
    assert not outcome.fillings
    assert [outcome.problems[index].split(":")[0] for index in range(3)] == [
        "placeholders",
        "translators' names",
        "longer than 20000 characters",
    ]


def test_a_text_is_asked_once_and_its_context_never() -> None:
    translate = FakeTranslator()
    body = message("_Open") + message("Open", comments='msgctxt "menu"\n') + message("_Open", comments='msgctxt "b"\n')
    assert len(filled(po(body + message("_Save")), translate).fillings) == 4
    assert sorted(translate.asked) == ["Open", "Open", "Save"]


def test_confirmed_entries_are_reused_where_they_agree() -> None:
    body = (
        message("_Open…", "열기(_O)…")
        + message("Close", "닫기")
        + message("close", "닫음", 'msgctxt "x"\n')
        + message("Open", "", 'msgctxt "dialog"\n')
        + message("OPEN:", "")
        + message("Close", "", 'msgctxt "y"\n')
        + message("_Edit", "편집(_E)")
    )
    outcome = filled(po(body))
    assert outcome.fillings[3].targets == ("열기",)
    assert outcome.fillings[3].origin is Origin.MEMORY
    assert outcome.fillings[4].targets == ("열기:",)
    assert outcome.fillings[5].targets == ("닫기",)
    fuzzy = filled(po(message("Open", "열기", "#, fuzzy\n") + message("Open", "", 'msgctxt "x"\n')))
    assert fuzzy.fillings[1].origin is Origin.MODEL


TERMS = message("repository", "저장소") + message("Clone the repository", "저장소 복제") + message("Open", "열기")


def test_terms_come_from_entries_that_others_agree_with() -> None:
    memory = Memory(po(TERMS + message("Could not open it", "열 수 없음")).entries, frozenset("_"))
    assert memory.terms("The Repository is open") == {"repository": "저장소"}
    assert memory.terms("repositoryless") == {}
    # Nothing shows the label in use, or its use disagrees.
    assert Memory(po(message("Open", "열기")).entries, frozenset()).terms("Open the file") == {}
    disagreeing = TERMS + message("No repository", "보관소 없음")
    assert Memory(po(disagreeing).entries, frozenset()).terms("a repository") == {}


@pytest.mark.parametrize(
    ("free", "constrained", "taken"),
    [
        (["보관소 삭제", "저장소 삭제"], ["?"], "저장소 삭제"),
        (["보관소 삭제"], ["저장소 지우기"], "저장소 지우기"),
        (["보관소 삭제"], ["보관소"], "보관소 삭제"),
        (["보관소 삭제"], ["저장소 %s"], "보관소 삭제"),
    ],
)
def test_terms_are_required_unless_that_fails(free: list[str], constrained: list[str], taken: str) -> None:
    source = "Delete the repository"
    translate = FakeTranslator({source: free, f"{source} [('repository', '저장소')]": constrained})
    assert filled(po(TERMS + message(source)), translate).fillings[3].targets == (taken,)


def test_plurals_have_a_text_for_each_form() -> None:
    body = 'msgid "One file"\nmsgid_plural "%d files"\nmsgstr[0] ""\n\n'
    assert filled(po(body)).fillings[0].targets == ("가 %d files",)


@pytest.mark.usefixtures("msgfmt_program")
@pytest.mark.parametrize("msgfmt_program", ["gettext"], indirect=True)
def test_msgfmt_names_the_lines_that_are_wrong() -> None:
    bad = HEADER + message("a %d", "가 %s", "#, fuzzy, c-format\n")
    assert msgfmt.complaints(bad.encode(), with_fuzzy=False) == []
    assert [complaint.line for complaint in msgfmt.complaints(bad.encode(), with_fuzzy=True)] == [11]
    catalog = po("".join(message(f"{source}\\n", comments="#, c-format\n") for source in ("%s of %s", "a %5d%%", "b")))
    written = catalog.content(filled(catalog).fillings)
    assert b"fuzzy" in written
    assert msgfmt.complaints(written, with_fuzzy=True) == []
