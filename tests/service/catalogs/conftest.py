"""msgfmt for the tests of catalogs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.client.catalogs import msgfmt

# What msgfmt 0.21 prints of a %s that stands for a %d.
STAND_IN = """#!/bin/sh
for file; do :; done
line=$(grep -n '^msgstr "%s"$' "$file" | cut -d: -f1)
[ -z "$line" ] && exit 0
echo "$file:$line: format specifications in 'msgid' and 'msgstr' for argument 1 are not the same" >&2
echo "msgfmt: found 1 fatal error" >&2
exit 1
"""


@pytest.fixture(params=["stand-in", *(["gettext"] if msgfmt.is_installed() else [])])
def msgfmt_program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A msgfmt on the PATH: one that says what it is known to say, and the machine's own.

    The latter comes with the system, not from a package registry, and the client works without it: a machine that has
    Python, make and a compiler only runs the tests with the stand-in alone.
    """
    if request.param == "gettext":
        return
    program = tmp_path / "bin" / "msgfmt"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
