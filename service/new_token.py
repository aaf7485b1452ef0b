"""python -m service.new_token NAME >> clients.toml: let a client in by a new bearer token.

The lines for the clients file go to standard output, the token itself, once, to standard error. For another token of a
client that is in the file already, add the new token_sha256 to its list by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
from collections.abc import Sequence

from service.api.access.clients_file import is_client_name
from service.api.access.permissions import Permission

DEFAULT_PERMISSIONS = (Permission.TRANSLATE, Permission.READ_MODELS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a token; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m service.new_token", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", type=_client_name, help="the client's name in logs and traces")
    parser.add_argument(
        "--permission",
        action="append",
        choices=[permission.value for permission in Permission],
        help=f"may be repeated (default: {' and '.join(permission.value for permission in DEFAULT_PERMISSIONS)})",
    )
    given = parser.parse_args(arguments)
    permissions = given.permission or [permission.value for permission in DEFAULT_PERMISSIONS]
    token = secrets.token_urlsafe(32)
    # First what makes the token good: where that cannot be written, nobody is given it.
    print(client_table(given.name, token, permissions), flush=True)
    print(f"The token of {given.name}, shown only this once: {token}", file=sys.stderr)
    return 0


def client_table(name: str, token: str, permissions: Sequence[str]) -> str:
    """The client's lines in the clients file; they hold the token's SHA-256, not the token."""
    key = f'"{name}"' if "." in name else name
    quoted = ", ".join(f'"{permission}"' for permission in dict.fromkeys(permissions))
    digest = hashlib.sha256(token.encode()).hexdigest()
    # An empty line first: what it is added to may not end in a newline.
    return f'\n[clients.{key}]\ntoken_sha256 = ["{digest}"]\npermissions = [{quoted}]'


def _client_name(text: str) -> str:
    if not is_client_name(text):
        raise argparse.ArgumentTypeError("expected up to 64 letters, digits, '.', '_' and '-', a letter or digit first")
    return text


if __name__ == "__main__":
    sys.exit(main())
