"""Attention to look at: in arrays, in the terminal, in a picture."""

from service.client.attention.attention import Attention, Kind, Link, Token

__all__ = ["Attention", "Kind", "Link", "Token"]
