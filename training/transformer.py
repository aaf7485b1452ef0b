"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017) and what has replaced its parts since.

B batch, S source length, T target length, D model size, G heads of keys and values, W head width, V vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.attention import CrossAttention, Mask, SelfAttention, length_mask
from training.embedding import Embedding
from training.feed_forward import FeedForward
from training.fused_linear import FusedLinear
from training.model_settings import TransformerSettings
from training.packing import PackedMask, Packing
from training.positions import Rotary
from training.seq2seq import Seq2Seq
from training.vocabulary import PAD_ID

RMS_EPSILON = 1e-6


def normalization(settings: TransformerSettings) -> nn.Module:
    """Of states (…, D)."""
    if settings.normalization == "rms":
        return nn.RMSNorm(settings.model_size, RMS_EPSILON)
    return nn.LayerNorm(settings.model_size)


class Residual(nn.Module):
    """A sub-layer's normalisation and residual connection (section 3.1; pre-norm: Xiong et al. 2020).

    Use as `states = residual.add(states, sublayer(residual.before(states)))`.
    """

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.norm = normalization(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.is_pre_norm = settings.norm == "pre"

    def before(self, states: Tensor) -> Tensor:
        """What the sub-layer sees."""
        normalised: Tensor = self.norm(states) if self.is_pre_norm else states
        return normalised

    def add(self, states: Tensor, update: Tensor) -> Tensor:
        """What the next sub-layer gets."""
        total: Tensor = states + self.dropout(update)
        normalised: Tensor = total if self.is_pre_norm else self.norm(total)
        return normalised


def self_attention(settings: TransformerSettings, rotary: Rotary | None) -> SelfAttention:
    """As encoder and decoder layers have it."""
    return SelfAttention(
        settings.model_size, settings.num_heads, settings.attention_dropout, settings.num_key_value_heads, rotary
    )


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network."""

    def __init__(self, settings: TransformerSettings, rotary: Rotary | None = None) -> None:
        super().__init__()
        self.self_attention = self_attention(settings, rotary)
        self.feed_forward = FeedForward(settings.model_size, settings.feed_forward_size, settings.activation)
        self.self_attention_residual = Residual(settings)
        self.feed_forward_residual = Residual(settings)

    def forward(self, states: Tensor, mask: Mask) -> Tensor:
        """(B, S, D) with mask (B, 1, 1, S), or of packed sources, -> (B, S, D)."""
        residual = self.self_attention_residual
        states = residual.add(states, self.self_attention(residual.before(states), mask))
        residual = self.feed_forward_residual
        return residual.add(states, self.feed_forward(residual.before(states)))


class DecoderLayer(nn.Module):
    """Masked self-attention, cross-attention and a feed-forward network."""

    def __init__(self, settings: TransformerSettings, rotary: Rotary | None = None) -> None:
        super().__init__()
        self.self_attention = self_attention(settings, rotary)
        self.cross_attention = CrossAttention(
            settings.model_size, settings.num_heads, settings.attention_dropout, settings.num_key_value_heads
        )
        self.feed_forward = FeedForward(settings.model_size, settings.feed_forward_size, settings.activation)
        self.self_attention_residual = Residual(settings)
        self.cross_attention_residual = Residual(settings)
        self.feed_forward_residual = Residual(settings)

    def forward(self, states: Tensor, memory: Tensor, memory_mask: Mask, target_mask: Mask = None) -> Tensor:
        """All target positions at once: (B, T, D) over memory (B, S, D) -> (B, T, D); a `target_mask` if packed."""
        residual = self.self_attention_residual
        states = residual.add(states, self.self_attention(residual.before(states), target_mask, is_causal=True))
        key, value = self.cross_attention.project_memory(memory)
        return self._after_self_attention(states, key, value, memory_mask)

    def step(self, states: Tensor, cache: LayerCache, memory_mask: Tensor | None) -> Tensor:
        """One target position: (B, 1, D) -> (B, 1, D); appends its key and value to `cache`."""
        residual = self.self_attention_residual
        query, key, value = self.self_attention.project(residual.before(states), cache.length)
        cache.append(key, value)
        states = residual.add(states, self.self_attention.attend(query, cache.self_key, cache.self_value))
        return self._after_self_attention(states, cache.cross_key, cache.cross_value, memory_mask)

    def _after_self_attention(self, states: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
        residual = self.cross_attention_residual
        states = residual.add(states, self.cross_attention(residual.before(states), key, value, mask))
        residual = self.feed_forward_residual
        return residual.add(states, self.feed_forward(residual.before(states)))


@dataclass
class LayerCache:
    """Keys and values of one decoder layer: self (B, G, t, W) grows, cross (B, G, S, W) stays."""

    self_key: Tensor
    self_value: Tensor
    cross_key: Tensor
    cross_value: Tensor

    @property
    def length(self) -> int:
        """Target positions so far, which is the next one's number."""
        return self.self_key.shape[2]

    def append(self, key: Tensor, value: Tensor) -> None:
        """Add one position, (B, G, 1, W)."""
        self.self_key = torch.cat((self.self_key, key), dim=2)
        self.self_value = torch.cat((self.self_value, value), dim=2)


class Encoder(nn.Module):
    """Source ids to memory."""

    def __init__(self, embedding: Embedding, settings: TransformerSettings, rotary: Rotary | None = None) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(EncoderLayer(settings, rotary) for _ in range(settings.num_encoder_layers))
        self.norm = normalization(settings) if settings.norm == "pre" else nn.Identity()

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> Tensor:
        """(B, S) ids with (B,) lengths -> memory (B, S, D)."""
        return self._encode(self.embedding(source_ids), length_mask(source_lengths, source_ids.shape[1]))

    def packed(self, source_ids: Tensor, packing: Packing) -> Tensor:
        """Packed ids (1, N) -> memory (1, N, D)."""
        return self._encode(self.embedding(source_ids, positions=packing.positions), PackedMask(packing, packing))

    def _encode(self, states: Tensor, mask: Mask) -> Tensor:
        for layer in self.layers:
            states = layer(states, mask)
        memory: Tensor = self.norm(states)
        return memory


class Decoder(nn.Module):
    """Target ids and memory to target states."""

    def __init__(self, embedding: Embedding, settings: TransformerSettings, rotary: Rotary | None = None) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(DecoderLayer(settings, rotary) for _ in range(settings.num_decoder_layers))
        self.norm = normalization(settings) if settings.norm == "pre" else nn.Identity()

    def forward(self, target_ids: Tensor, memory: Tensor, source_lengths: Tensor) -> Tensor:
        """(B, T) ids, beginning of sentence first -> states (B, T, D) that predict the next token."""
        return self._decode(self.embedding(target_ids), memory, length_mask(source_lengths, memory.shape[1]))

    def packed(self, target_ids: Tensor, packing: Packing, memory: Tensor, source: Packing) -> Tensor:
        """Packed ids (1, N) over memory (1, M, D) -> states (1, N, D)."""
        states = self.embedding(target_ids, positions=packing.positions)
        return self._decode(states, memory, PackedMask(packing, source), PackedMask(packing, packing))

    def _decode(self, states: Tensor, memory: Tensor, memory_mask: Mask, target_mask: Mask = None) -> Tensor:
        for layer in self.layers:
            states = layer(states, memory, memory_mask, target_mask)
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
        source = Embedding(source_vocabulary_size, settings, max_positions)
        target = Embedding(target_vocabulary_size, settings, max_positions)
        if settings.tie_embeddings and is_vocabulary_shared:
            target.tokens.weight = source.tokens.weight
        rotary = Rotary(max_positions, settings.head_size) if settings.positions == "rotary" else None
        self.settings = settings
        self.encoder = Encoder(source, settings, rotary)
        self.decoder = Decoder(target, settings, rotary)
        has_bias = settings.output_bias or not settings.tie_embeddings
        self.output = nn.Linear(settings.model_size, target_vocabulary_size, bias=has_bias)
        for module in (self.encoder.layers, self.decoder.layers):
            _initialise(module)
        if settings.tie_embeddings:
            self.output.weight = target.tokens.weight

    def forward(
        self,
        source_ids: Tensor,
        source_lengths: Tensor | Packing,
        target_ids: Tensor,
        target_packing: Packing | None = None,
    ) -> Tensor:
        """Teacher forcing: (B, S), (B,), (B, T) with beginning of sentence first -> states (B, T, D).

        Packed: (1, M) with its packing, (1, N) with its packing -> (1, N, D).
        """
        if isinstance(source_lengths, Packing):
            assert target_packing is not None
            memory = self.encoder.packed(source_ids, source_lengths)
            packed: Tensor = self.decoder.packed(target_ids, target_packing, memory, source_lengths)
            return packed
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

    def log_probs(self, states: Tensor) -> Tensor:
        """See `Seq2Seq`."""
        log_probs = super().log_probs(states)
        if not self.settings.is_padding_banned:
            return log_probs
        is_padding = torch.arange(log_probs.shape[-1], device=states.device) == PAD_ID
        return log_probs.masked_fill(is_padding, float("-inf"))


def _initialise(module: nn.Module) -> None:
    """Glorot and Bengio (2010) for every linear map, biases of zero."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            for weight in child.weights() if isinstance(child, FusedLinear) else (child.weight,):
                nn.init.xavier_uniform_(weight.data)
            nn.init.zeros_(child.bias)
