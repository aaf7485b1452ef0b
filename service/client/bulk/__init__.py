"""Files of any size, translated over many requests and kept safe from interruption: python -m service.client bulk."""

from service.client.bulk.command import run

__all__ = ["run"]
