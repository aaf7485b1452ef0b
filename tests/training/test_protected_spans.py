from __future__ import annotations

import pytest

from training.protected_spans import ProtectedSpanSettings, protect, protect_pair

FOUR = ProtectedSpanSettings(num_symbols=4)


@pytest.mark.parametrize(
    "span",
    [
        "%s", "%d", "%5.2f", "%1$s", "%lu", "%(name)s", "%1", "%n", "%PRODUCTNAME", "{0}", "{name}", "{{ user }}",
        "${HOME}", "$(pwd)", "$LANG", "$1", "https://example.org/a?b=c", "someone@example.org", "<b>", "</b>",
        '<a href="x">', "<br/>", "&amp;", "&#160;", "`ls -l`", "--verbose", "/etc/fstab", "~/.config/app", "⟦7⟧",
        "%%", "./configure", "../lib/a.so", r"C:\Users\me", "1.2.3", "v10.0.1", "2026-11-21",
    ],
)  # fmt: skip
def test_a_span_is_read_as_a_symbol(span: str) -> None:
    protected = protect(f"Open {span} now.", FOUR)
    assert protected.text == "Open ⟦1⟧ now."
    assert protected.restore("지금 ⟦1⟧ 열기.") == f"지금 {span} 열기."


@pytest.mark.parametrize(
    "text",
    [
        "Save 50% of it",
        "100 % sure",
        "and/or",
        "a < b > c",
        "R&D is here",
        "$5.00 only",
        "a-b -- c",
        "5 % d'un",
        "It is 3.14.",
        "a: b",
    ],
)
def test_what_only_looks_like_a_span_stays_text(text: str) -> None:
    assert protect(text, FOUR).text == text


def test_a_url_ends_before_the_mark_that_ends_the_sentence() -> None:
    assert protect("See http://a.org/x.", FOUR).text == "See ⟦1⟧."


@pytest.mark.parametrize(
    "span", ["/etc/fstab", "http://a.org/b-c", "a@b.org", "--help", "$HOME", "%s", "{이름}", "%(이름)s", "`ls`", "<b>"]
)
def test_a_korean_particle_is_no_part_of_a_span(span: str) -> None:
    assert protect(f"이제 {span}를 여세요.", FOUR).text == "이제 ⟦1⟧를 여세요."


@pytest.mark.parametrize("text", ["a" * 20_000, "%" + "0" * 20_000, "/" + "." * 20_000, "{" * 20_000, "<a" * 10_000])
def test_long_texts_that_almost_match_stay_text(text: str) -> None:
    assert protect(text, FOUR).text == text  # takes minutes if a pattern goes back and forth


def test_spans_beyond_the_symbols_stay_text() -> None:
    assert protect("%s %s %s", ProtectedSpanSettings(num_symbols=2)).text == "⟦1⟧ ⟦2⟧ %s"


def test_without_symbols_nothing_is_replaced() -> None:
    assert protect("%s", ProtectedSpanSettings()).text == "%s"
    assert protect_pair("%s", "%s", ProtectedSpanSettings()) == ("%s", "%s")


def test_a_pair_has_the_same_symbols_on_both_sides_in_the_order_of_each() -> None:
    source, target = protect_pair("Copy %s to {dir}", "{dir}에 %s 복사", FOUR)
    first, second = source.removeprefix("Copy ").split(" to ")
    assert target == f"{second}에 {first} 복사"
    assert {first, second} <= set(FOUR.symbols)
    assert first != second


def test_of_equal_spans_the_nth_is_the_nth_of_the_other_side() -> None:
    source, target = protect_pair("%s and %s", "%s 및 %s", FOUR)
    assert source.split(" and ") == target.split(" 및 ")


def test_a_span_of_one_side_only_stays_text() -> None:
    source, target = protect_pair("%s of %d", "%d개", FOUR)
    assert source.startswith("%s of ⟦")
    assert target.startswith("⟦")


def test_pairs_use_all_symbols() -> None:
    seen = {protect_pair(f"file {number} %s", "%s", FOUR)[1] for number in range(60)}
    assert seen == set(FOUR.symbols)
