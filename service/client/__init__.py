"""A client for the service: python -m service.client, or Client in your own program."""

from service.client.attention import Attention
from service.client.client import Client, DecodingArguments
from service.client.credentials import Credentials

__all__ = ["Attention", "Client", "Credentials", "DecodingArguments"]
