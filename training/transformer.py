"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), pre- or post-norm.

B batch, S source length, T target length, D model size, H heads, W head width, V vocabulary size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.attention import CrossAttention, SelfAttention, length_mask
from training.model_settings import TransformerSettings
from training.seq2seq import Seq2Seq


def sinusoidal_positions(num_positions: int, model_size: int) -> Tensor:
    """Section 3.5: (num_positions, model_size), sines in even and cosines in odd columns."""
    position = torch.arange(num_positions, dtype=torch.float64)[:, None]
    frequency = torch.exp(torch.arange(0, model_size, 2, dtype=torch.float64) * (-math.log(10_000.0) / model_size))
    table = torch.empty(num_positions, model_size, dtype=torch.float64)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table.float()


class Embedding(nn.Module):
    """Token embedding times sqrt(D) plus sinusoidal position (sections 3.4 and 3.5)."""

    positions: Tensor

    def __init__(self, vocabulary_size: int, model_size: int, max_positions: int, dropout: float) -> None:
        super().__init__()
        self.scale = math.sqrt(model_size)
        self.tokens = nn.Embedding(vocabulary_size, model_size)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("positions", sinusoidal_positions(max_positions, model_size), persistent=False)
        nn.init.normal_(self.tokens.weight, std=model_size**-0.5)

    def forward(self, token_ids: Tensor, start: int = 0) -> Tensor:
        """(B, L) ids of positions start … start + L - 1 -> (B, L, D)."""
        positions = self.positions[start : start + token_ids.shape[1]]
        states: Tensor = self.dropout(self.tokens(token_ids) * self.scale + positions)
        return states


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between them (section 3.3)."""

    def __init__(self, model_size: int, feed_forward_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(model_size, feed_forward_size)
        self.output = nn.Linear(feed_forward_size, model_size)

    def forward(self, states: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        output: Tensor = self.output(F.relu(self.inner(states)))
        return output


class Residual(nn.Module):
    """A sub-layer's normalisation and residual connection (section 3.1; pre-norm: Xiong et al. 2020).

    Use as `states = residual.add(states, sublayer(residual.before(states)))`.
    """

    def __init__(self, model_size: int, dropout: float, is_pre_norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(model_size)
        self.dropout = nn.Dropout(dropout)
        self.is_pre_norm = is_pre_norm

    def before(self, states: Tensor) -> Tensor:
        """What the sub-layer sees."""
        normalised: Tensor = self.norm(states) if self.is_pre_norm else states
        return normalised

    def add(self, states: Tensor, update: Tensor) -> Tensor:
        """What the next sub-layer gets."""
        total: Tensor = states + self.dropout(update)
        normalised: Tensor = total if self.is_pre_norm else self.norm(total)
        return normalised


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        size, is_pre_norm = settings.model_size, settings.norm == "pre"
        self.self_attention = SelfAttention(size, settings.num_heads, settings.attention_dropout)
        self.feed_forward = FeedForward(size, settings.feed_forward_size)
        self.self_attention_residual = Residual(size, settings.dropout, is_pre_norm)
        self.feed_forward_residual = Residual(size, settings.dropout, is_pre_norm)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S, D) with mask (B, 1, 1, S) -> (B, S, D)."""
        residual = self.self_attention_residual
        states = residual.add(states, self.self_attention(residual.before(states), mask))
        residual = self.feed_forward_residual
        return residual.add(states, self.feed_forward(residual.before(states)))


class DecoderLayer(nn.Module):
    """Masked self-attention, cross-attention and a feed-forward network."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        size, is_pre_norm = settings.model_size, settings.norm == "pre"
        self.self_attention = SelfAttention(size, settings.num_heads, settings.attention_dropout)
        self.cross_attention = CrossAttention(size, settings.num_heads, settings.attention_dropout)
        self.feed_forward = FeedForward(size, settings.feed_forward_size)
        self.self_attention_residual = Residual(size, settings.dropout, is_pre_norm)
        self.cross_attention_residual = Residual(size, settings.dropout, is_pre_norm)
        self.feed_forward_residual = Residual(size, settings.dropout, is_pre_norm)

    def forward(self, states: Tensor, memory: Tensor, memory_mask: Tensor | None) -> Tensor:
        """All target positions at once: (B, T, D) over memory (B, S, D) -> (B, T, D)."""
        residual = self.self_attention_residual
        states = residual.add(states, self.self_attention(residual.before(states), is_causal=True))
        key, value = self.cross_attention.project_memory(memory)
        return self._after_self_attention(states, key, value, memory_mask)

    def step(self, states: Tensor, cache: LayerCache, memory_mask: Tensor | None) -> Tensor:
        """One target position: (B, 1, D) -> (B, 1, D); appends its key and value to `cache`."""
        residual = self.self_attention_residual
        query, key, value = self.self_attention.project(residual.before(states))
        cache.append(key, value)
        states = residual.add(states, self.self_attention.attend(query, cache.self_key, cache.self_value))
        return self._after_self_attention(states, cache.cross_key, cache.cross_value, memory_mask)

    def _after_self_attention(self, states: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        residual = self.cross_attention_residual
        states = residual.add(states, self.cross_attention(residual.before(states), key, value, mask))
        residual = self.feed_forward_residual
        return residual.add(states, self.feed_forward(residual.before(states)))


@dataclass
class LayerCache:
    """Keys and values of one decoder layer: self (B, H, t, W) grows, cross (B, H, S, W) stays."""

    self_key: Tensor
    self_value: Tensor
    cross_key: Tensor
    cross_value: Tensor

    def append(self, key: Tensor, value: Tensor) -> None:
        """Add one position, (B, H, 1, W)."""
        self.self_key = torch.cat((self.self_key, key), dim=2)
        self.self_value = torch.cat((self.self_value, value), dim=2)


class Encoder(nn.Module):
    """Source ids to memory."""

    def __init__(self, embedding: Embedding, settings: TransformerSettings) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.num_encoder_layers))
        self.norm = nn.LayerNorm(settings.model_size) if settings.norm == "pre" else nn.Identity()

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> Tensor:
        """(B, S) ids with (B,) lengths -> memory (B, S, D)."""
        mask = length_mask(source_lengths, source_ids.shape[1])
        states = self.embedding(source_ids)
        for layer in self.layers:
            states = layer(states, mask)
        memory: Tensor = self.norm(states)
        return memory


class Decoder(nn.Module):
    """Target ids and memory to target states."""

    def __init__(self, embedding: Embedding, settings: TransformerSettings) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.num_decoder_layers))
        self.norm = nn.LayerNorm(settings.model_size) if settings.norm == "pre" else nn.Identity()

    def forward(self, target_ids: Tensor, memory: Tensor, source_lengths: Tensor) -> Tensor:
        """(B, T) ids, beginning of sentence first -> states (B, T, D) that predict the next token."""
        mask = length_mask(source_lengths, memory.shape[1])
        states = self.embedding(target_ids)
        for layer in self.layers:
            states = layer(states, memory, mask)
        normalised: Tensor = self.norm(states)
        return normalised

    def start(self, memory: Tensor) -> list[LayerCache]:
        """An empty cache per layer, with the source's keys and values."""
        caches = []
        for layer in self.layers:
            assert isinstance(layer, DecoderLayer)
            key, value = layer.cross_attention.project_memory(memory)
            caches.append(LayerCache(key[:, :, :0], value[:, :, :0], key, value))
        return caches

    def step(self, token_ids: Tensor, position: int, caches: list[LayerCache], source_lengths: Tensor) -> Tensor:
        """The next state: (B,) ids at `position` -> (B, D)."""
        mask = length_mask(source_lengths, caches[0].cross_key.shape[2])
        states = self.embedding(token_ids[:, None], position)
        for layer, cache in zip(self.layers, caches, strict=True):
            assert isinstance(layer, DecoderLayer)
            states = layer.step(states, cache, mask)
        normalised: Tensor = self.norm(states)[:, 0]
        return normalised


@dataclass
class TransformerState:
    """What decoding keeps: `position` is that of the next token in the target."""

    caches: list[LayerCache]
    source_lengths: Tensor
    position: int = 0


class Transformer(Seq2Seq[TransformerState]):
    """An encoder, a decoder and an output projection, with embeddings tied as section 3.4 says."""

    def __init__(
        self,
        settings: TransformerSettings,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        max_positions: int,
        is_vocabulary_shared: bool,
    ) -> None:
        super().__init__()
        size = settings.model_size
        source = Embedding(source_vocabulary_size, size, max_positions, settings.dropout)
        target = Embedding(target_vocabulary_size, size, max_positions, settings.dropout)
        if settings.tie_embeddings and is_vocabulary_shared:
            target.tokens.weight = source.tokens.weight
        self.settings = settings
        self.encoder = Encoder(source, settings)
        self.decoder = Decoder(target, settings)
        self.output = nn.Linear(size, target_vocabulary_size, bias=not settings.tie_embeddings)
        for module in (self.encoder.layers, self.decoder.layers):
            _initialise(module)
        if settings.tie_embeddings:
            self.output.weight = target.tokens.weight

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> Tensor:
        """Teacher forcing: (B, S), (B,), (B, T) with beginning of sentence first -> states (B, T, D)."""
        memory = self.encoder(source_ids, source_lengths)
        states: Tensor = self.decoder(target_ids, memory, source_lengths)
        return states

    def start(self, source_ids: Tensor, source_lengths: Tensor) -> TransformerState:
        """See `Seq2Seq`."""
        memory = self.encoder(source_ids, source_lengths)
        return TransformerState(self.decoder.start(memory), source_lengths)

    def step(self, token_ids: Tensor, state: TransformerState) -> Tensor:
        """See `Seq2Seq`."""
        states = self.decoder.step(token_ids, state.position, state.caches, state.source_lengths)
        state.position += 1
        return states


def _initialise(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1:
            # The fused projections start as if they were separate matrices.
            parts = 3 if "query_key_value" in name else 2 if "key_value" in name else 1
            for part in parameter.data.chunk(parts):
                nn.init.xavier_uniform_(part)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
