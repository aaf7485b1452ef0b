from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.offsets import target_offsets
from service.bundle.tokenizer import TextStream, Tokenizer
from service.errors import BundleError
from service.text.protected_spans import ProtectedText

BUNDLED = Path(__file__).parents[2] / "models/en-ko-software"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A small vocabulary: most characters are spelled in bytes."""
    path = tmp_path_factory.mktemp("tokenizer") / "model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["파일을 열 수 없습니다", "open the file", "나는 학생입니다"] * 20),
        model_prefix=str(path),
        vocab_size=300,
        byte_fallback=True,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    return Tokenizer(path.with_suffix(".model").read_bytes(), path.name)


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_streamed_pieces_add_up_and_never_split_a_character(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    stream = TextStream(tokenizer)
    pieces = [stream.push([token]) for token in ids] + [stream.finish()]
    whole = tokenizer.decode(ids)
    assert "".join(pieces) == whole
    assert sum(piece.count("\ufffd") for piece in pieces[:-1]) <= whole.count("\ufffd")


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 290), max_size=40))
def test_any_ids_stream_to_what_they_decode_to(tokenizer: Tokenizer, ids: list[int]) -> None:
    ids = [token % tokenizer.size for token in ids]
    stream = TextStream(tokenizer)
    assert "".join([stream.push([token]) for token in ids] + [stream.finish()]) == tokenizer.decode(ids)


def test_emoji_come_whole(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer)
    pieces = [stream.push([token]) for token in tokenizer.encode("a 🙂 나")]
    assert [piece for piece in pieces if "🙂" in piece]
    assert not any("\ufffd" in piece for piece in pieces)


def test_offsets_are_those_of_the_text(tokenizer: Tokenizer) -> None:
    text = "나는 open 🙂"
    tokens = tokenizer.tokens(text)
    assert [token.id for token in tokens] == tokenizer.encode(text)
    assert "".join(text[token.begin : token.end] for token in tokens) == text


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 290), max_size=40))
def test_offsets_of_a_translation_cover_it_in_order(tokenizer: Tokenizer, ids: list[int]) -> None:
    ids = [token % tokenizer.size for token in ids]
    offsets = target_offsets(tokenizer, ids, ProtectedText(""))
    ends = [0, *(end for _, end in offsets)]
    assert [begin for begin, _ in offsets] == ends[:-1]
    assert ends == sorted(ends)
    assert ends[-1] == len(tokenizer.decode(ids))


def test_a_character_in_bytes_belongs_to_the_last_of_them(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a 🙂 나")
    offsets = target_offsets(tokenizer, ids, ProtectedText(""))
    assert [(begin, end) for begin, end in offsets if begin <= 2 < end] == [(2, 3)]


def test_a_damaged_model_is_an_error() -> None:
    with pytest.raises(BundleError, match=r"bad\.model is not a SentencePiece model"):
        Tokenizer(b"nonsense", "bad.model")


def test_variants_hold_the_phrase_with_particles_and_not_inside_other_words() -> None:
    tokenizer = Tokenizer((BUNDLED / "target.model").read_bytes(), "target.model")
    pieces = [[tokenizer.piece(token) for token in cut] for cut in tokenizer.variants("파일")]
    assert ["▁파일"] in pieces
    assert ["▁파일을"] in pieces
    assert ["▁", "파일"] in pieces
    assert all("파일" in "".join(cut) for cut in pieces)
    longer = [tokenizer.decode(list(cut)) for cut in tokenizer.variants("파일 이름")]
    assert {"파일 이름", "파일 이름이"} <= set(longer)
    latin = [tokenizer.decode(list(cut)) for cut in tokenizer.variants("in")]
    assert "in" in latin
    assert "info" not in latin
