"""The page: what is served of it, and what browsers are told it may do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import service.api.http.assets as assets_module
from service.api.server import Server
from tests.service.http.serving import ask

FILES = sorted(path.name for path in Path(assets_module.__file__).with_name("assets").iterdir())


def test_the_page_brings_all_it_needs(server: Server) -> None:
    page = ask(server, "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    needed = re.findall(r"""(?:src|href)="(assets/[^"]+)""", page.body.decode())
    assert needed
    for path in needed:
        assert ask(server, f"/{path}").status == 200, path
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|<script>|\son\w+=", page.body.decode())


@pytest.mark.parametrize("name", FILES)
def test_files_have_their_types_and_are_sent_once(server: Server, name: str) -> None:
    first = ask(server, f"/assets/{name}")
    kinds = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
    assert first.headers["content-type"].startswith(kinds.get(name.rpartition(".")[2], ""))
    assert first.headers["cache-control"] == "no-cache"
    again = ask(server, f"/assets/{name}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "name",
    ["", "none.js", "../openapi.json", "%2e%2e/openapi.json", "..%2fopenapi.json", "%00.js", ".hidden.js", "//x.js"],
)
def test_nothing_else_is_read(server: Server, name: str) -> None:
    assert ask(server, f"/assets/{name}").status == 404
