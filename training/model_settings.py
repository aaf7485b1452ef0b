"""What a recipe says of the model: one section for each family, told apart by `family`."""

from __future__ import annotations

from typing import Literal

from training.section import Fraction, NonNegative, Positive, Section

FAMILY, TRANSFORMER, RNN = "family", "transformer", "rnn"


class TransformerSettings(Section, frozen=True, tag_field=FAMILY, tag=TRANSFORMER):
    """The Transformer of Vaswani et al. (2017), and what has replaced its parts since. The defaults are the paper's
    base model but for pre-norm."""

    num_encoder_layers: Positive = 6
    num_decoder_layers: Positive = 6
    model_size: Positive = 512
    feed_forward_size: Positive = 2048
    """Of each of the two halves with swiglu; two thirds of it make as many weights as relu has."""
    num_heads: Positive = 8
    num_key_value_heads: NonNegative = 0
    """Heads of keys and values, each for num_heads / num_key_value_heads heads of queries, which makes caches as much
    smaller (grouped-query attention, Ainslie et al. 2023; 1: multi-query, Shazeer 2019); 0: num_heads."""
    dropout: Fraction = 0.1
    """On every sub-layer's output and on the embeddings (section 5.4)."""
    attention_dropout: Fraction = 0.0
    norm: Literal["pre", "post"] = "pre"
    """Layer normalisation before each sub-layer (easier to train) or after it (as in the paper)."""
    normalization: Literal["layer", "rms"] = "layer"
    """layer: Ba et al. (2016). rms: divide by the root mean square alone (Zhang and Sennrich 2019)."""
    activation: Literal["relu", "gelu", "silu", "swiglu"] = "relu"
    """Of the feed-forward network. gelu: Hendrycks and Gimpel (2016). silu: x * sigmoid(x), also called swish
    (Ramachandran et al. 2017). swiglu: a second linear map gated by the SiLU of the first (Shazeer 2020)."""
    positions: Literal["sinusoidal", "learned", "rotary"] = "sinusoidal"
    """Added to embeddings: sinusoidal as in the paper, or learned (Gehring et al. 2017). rotary: queries and keys of
    self-attention are turned by their positions, so that products depend on distance alone (Su et al. 2021)."""
    scale_embeddings: bool = True
    """Multiply embeddings by the square root of model_size (section 3.4)."""
    tie_embeddings: bool = True
    """Share the target embedding with the output projection, and with the source when the vocabulary is shared."""
    output_bias: bool = False
    """A bias for each target token although embeddings are tied; an output projection of its own always has one."""
    is_padding_banned: bool = False
    """Padding has its share of the output probabilities, as imported models may give it one, but is never produced."""

    @property
    def head_size(self) -> int:
        """Width of a head."""
        return self.model_size // self.num_heads

    def __post_init__(self) -> None:
        if self.model_size % self.num_heads:
            raise ValueError("model_size must be a multiple of num_heads")
        if self.head_size % 8:
            raise ValueError("model_size / num_heads must be a multiple of 8: attention is served in whole vectors")
        if self.num_key_value_heads and self.num_heads % self.num_key_value_heads:
            raise ValueError("num_heads must be a multiple of num_key_value_heads")


class RnnSettings(Section, frozen=True, tag_field=FAMILY, tag=RNN):
    """A recurrent encoder-decoder, with attention or without."""

    decoder: Literal["context", "bahdanau", "luong"] = "bahdanau"
    """context: one fixed vector for the whole source (Cho et al. 2014). bahdanau: attention before the cell, by its
    previous state (Bahdanau et al. 2015). luong: attention after the cell, by its new state (Luong et al. 2015)."""
    score: Literal["additive", "dot", "general", "concat"] = "additive"
    """How well a source position suits a query. additive and concat are two names of one formula."""
    local_window: NonNegative = 0
    """luong only: attend to so many positions on either side of a predicted one (local-p); 0: to all."""
    is_input_feeding: bool = False
    """luong only: the attentional state of one step is an input of the next."""
    cell: Literal["gru", "lstm"] = "gru"
    num_encoder_layers: Positive = 1
    num_decoder_layers: Positive = 1
    embedding_size: Positive = 256
    hidden_size: Positive = 256
    """Of each direction of the encoder, and of the decoder."""
    is_bidirectional: bool = True
    initial_state: Literal["projected", "copied", "zeros"] = "projected"
    """The decoder begins with a tanh layer over the encoder's last states, with these states, or with zeros."""
    is_memory_projected: bool = False
    """Bring the encoder's states to hidden_size before the decoder attends to them; the score dot needs it where the
    encoder is bidirectional."""
    readout: Literal["maxout", "tanh", "linear"] = "tanh"
    """From state and context (and, but for luong, the last token) to what the output projection reads."""
    readout_size: Positive = 256
    dropout: Fraction = 0.1
    """On embeddings, between layers and on the readout."""
    tie_embeddings: bool = False
    """Share the target embedding with the output projection, and with the source when the vocabulary is shared."""
    padded_source_tokens: NonNegative = 0
    """Read every source as if ends of sentence filled it up to this length, as models do that were trained on unmasked
    padding; 0: read what there is."""

    def __post_init__(self) -> None:
        if self.decoder != "luong" and (self.local_window or self.is_input_feeding):
            raise ValueError("local_window and is_input_feeding are of the luong decoder")
        if self.decoder == "bahdanau" and self.score not in ("additive", "concat"):
            raise ValueError("the bahdanau decoder has the score additive")
        if self.score == "dot" and self.decoder == "luong" and self.is_bidirectional and not self.is_memory_projected:
            raise ValueError("the score dot needs is_memory_projected where is_bidirectional")
        is_copyable = not self.is_bidirectional and self.num_encoder_layers == self.num_decoder_layers
        if self.initial_state == "copied" and not is_copyable:
            raise ValueError("initial_state copied needs an encoder of one direction and as many layers as the decoder")
        if self.tie_embeddings and self.readout_size != self.embedding_size:
            raise ValueError("tie_embeddings needs readout_size equal to embedding_size")


ModelSettings = TransformerSettings | RnnSettings
