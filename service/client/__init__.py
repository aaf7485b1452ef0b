"""A client for the service: python -m service.client, or Client in your own program."""

from service.client.client import Client, DecodingArguments
from service.client.credentials import Credentials
from service.client.results import Caption

__all__ = ["Caption", "Client", "Credentials", "DecodingArguments"]
