"""What a language's way of writing decides."""

from __future__ import annotations

import re

_CODE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*")
_NOT_LATIN = re.compile(
    "ko|ja|zh|th|ar|fa|he|ur|ru|uk|be|bg|sr|mk|el|ka|hy|hi|bn|ta|te|ml|kn|gu|pa|mr|ne|am|km|lo|my|si|kk|mn"
)


def language_code(name: str) -> str:
    """The BCP-47 code for what gettext writes, such as pt_BR or sr@latin; empty where it is none."""
    code = name.partition("@")[0].partition(".")[0].strip()
    return code.replace("_", "-") if _CODE.fullmatch(code) else ""


def code_of_file_name(stem: str) -> str:
    """The code that a file is named by, such as pt_BR.po; of two letters, for app.po is named by no language."""
    code = language_code(stem)
    return code if len(base(code)) == 2 else ""


def base(code: str) -> str:
    """The language without script and region."""
    return code.lower().partition("-")[0]


def is_latin(code: str) -> bool:
    """Whether the language is written with Latin letters, so that an access key can be one of the translation's."""
    return _NOT_LATIN.fullmatch(base(code)) is None


def is_cased(text: str) -> bool:
    """Whether upper and lower case differ in a text."""
    return text.upper() != text.lower()
