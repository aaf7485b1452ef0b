"""Small Marian models as OPUS-MT's look on disk, hardly trained, and what transformers makes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from training.vocabulary import Vocabulary

SOURCE_WORDS = [f"{a}{b}{c}" for a in "bdgkl" for b in "aeio" for c in "nrst"]
TARGET_WORDS = [f"{a}{b}{c}" for a in "fhmpw" for b in "aouü" for c in "ckmß"]
LANGUAGES = (">>fra<<", ">>por_BR<<")
LEFT_OUT = ("▁ba", "n")
"""Pieces of the source model that vocab.json does not have, as happens when a vocabulary is cut."""
MAX_POSITIONS = 64
MAX_TOKENS = 24
NUM_STEPS = 60


@dataclass(frozen=True)
class Theirs:
    """A model in transformers."""

    model: MarianMTModel
    tokenizer: MarianTokenizer

    def ids(self, ours: Vocabulary, ids: Sequence[int], is_target: bool) -> list[int]:
        """Our ids in their numbers, looked up by the text of each piece."""
        tokenizer = self.tokenizer
        known = tokenizer.target_encoder if is_target and tokenizer.separate_vocabs else tokenizer.encoder
        processor = sentencepiece.SentencePieceProcessor(model_proto=ours.model)
        pieces = [processor.id_to_piece(index) for index in ids]
        pieces = [piece[1:] if piece.startswith("▁>>") else piece for piece in pieces]
        return [known.get(piece, known["<unk>"]) for piece in pieces]

    def generate(self, source: list[int], **options: object) -> list[tuple[list[int], float]]:
        """Token ids without beginning, end and padding, and the score of each hypothesis."""
        with torch.inference_mode():
            found = self.model.generate(
                torch.tensor([source]),
                attention_mask=torch.ones(1, len(source), dtype=torch.long),
                do_sample=False,
                max_new_tokens=MAX_TOKENS,
                return_dict_in_generate=True,
                output_scores=True,
                **options,
            )
        end, pad = self.model.config.eos_token_id, self.model.config.pad_token_id
        sequences = [[token for token in row if token not in (end, pad)] for row in found.sequences.tolist()]
        scores = getattr(found, "sequences_scores", None)
        return list(zip(sequences, [0.0] * len(sequences) if scores is None else scores.tolist(), strict=True))


def write_marian(directory: Path, seed: int, is_separate: bool = False, **changes: object) -> Theirs:
    """A directory as save_pretrained leaves it."""
    directory.mkdir(parents=True, exist_ok=True)
    words = {"source": SOURCE_WORDS, "target": TARGET_WORDS}
    pieces = {side: _train(directory / f"{side}.spm", of_side) for side, of_side in words.items()}
    source_only = [piece for piece in pieces["source"] if piece not in LEFT_OUT]
    shared = [*source_only, *pieces["target"], *LANGUAGES, "▁only", "→"]
    vocabularies = [source_only, pieces["target"]] if is_separate else [shared]
    sizes = []
    for name, content in zip(("vocab.json", "target_vocab.json"), vocabularies, strict=False):
        ordered = ["</s>", "<unk>", *dict.fromkeys(content)]
        if is_separate:  # transformers wants padding and the end of both to have the same ids
            ordered.insert(2, "<pad>")
        else:
            ordered.append("<pad>")
        sizes.append(len(ordered))
        numbered = {piece: index for index, piece in enumerate(ordered)}
        (directory / name).write_text(json.dumps(numbered, ensure_ascii=False), encoding="utf-8")
    tokenizer_config = {"source_lang": "en", "target_lang": "fr", "separate_vocabs": is_separate}
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    theirs = Theirs(_model(seed, sizes, is_separate, changes), MarianTokenizer.from_pretrained(directory))
    _teach(theirs, seed)
    theirs.model.save_pretrained(directory)
    return theirs


def random_texts(number: int, seed: int) -> list[str]:
    """Words of the source, now and then something that it does not know."""
    generator = np.random.default_rng(seed)
    strange = ["ñandú", "zzz", "→", "漢字", "Wau", "BAN", "12", "bant…", "▁", "\u00a0", ">>", "a  b"]
    texts = []
    for _ in range(number):
        words = generator.choice(SOURCE_WORDS, generator.integers(1, 9)).tolist()
        for _ in range(generator.integers(0, 3)):
            words.insert(generator.integers(0, len(words) + 1), str(generator.choice(strange)))
        texts.append(" ".join(words))
    return texts


def _train(path: Path, words: list[str]) -> list[str]:
    """A SentencePiece model as OPUS-MT trains them; returns its pieces."""
    generator = np.random.default_rng(0)
    sentences = [" ".join(generator.choice(words, 6)) for _ in range(400)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, vocab_size=70, hard_vocab_limit=False, minloglevel=2
    )
    path.write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [processor.id_to_piece(i) for i in range(len(processor)) if not processor.is_control(i)][1:]


def _model(seed: int, sizes: list[int], is_separate: bool, changes: dict[str, object]) -> MarianMTModel:
    torch.manual_seed(seed)
    pad = 2 if is_separate else sizes[0] - 1
    settings: dict[str, object] = {
        "vocab_size": sizes[0],
        "decoder_vocab_size": sizes[-1],
        "share_encoder_decoder_embeddings": not is_separate,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": MAX_POSITIONS,
        "activation_function": "swish",
        "scale_embedding": True,
        "static_position_embeddings": True,
        "normalize_before": False,
        "pad_token_id": pad,
        "eos_token_id": 0,
        "decoder_start_token_id": pad,
        "forced_eos_token_id": None,
        "init_std": 0.1,
    }
    model = MarianMTModel(MarianConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    model.generation_config.bad_words_ids = [[pad]]
    return model


def _teach(theirs: Theirs, seed: int) -> None:
    """A few steps towards translating word by word, so that translations differ and end."""
    generator = np.random.default_rng(seed)
    model, tokenizer = theirs.model.train(), theirs.tokenizer
    pad = model.config.pad_token_id
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(NUM_STEPS):
        picks = [generator.integers(0, len(SOURCE_WORDS), generator.integers(1, 7)) for _ in range(24)]
        source, target = (
            [" ".join(words[index] for index in pick) for pick in picks] for words in (SOURCE_WORDS, TARGET_WORDS)
        )
        inputs = tokenizer(source, padding=True, return_tensors="pt")
        labels = tokenizer(text_target=target, padding=True, return_tensors="pt")["input_ids"]
        labels = labels.masked_fill(labels == pad, -100)
        loss = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        model.final_logits_bias.normal_(std=0.5)
        model.final_logits_bias[0, pad] += 6.0  # padding would be said if it might
