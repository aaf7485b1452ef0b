"""Bodies that are made to cost much: nobody unknown has them read, and nobody else waits meanwhile."""

from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import pytest

from service.api.http.libretranslate import body as reading
from service.api.http.libretranslate.body import MAX_FIELDS
from service.api.server import Server
from tests.service.http.serving import Run, ask

TOKEN = "a-secret"
CAT = {"q": "cat", "source": "en", "target": "xx"}
UNREADABLE = {"error": "Invalid request: the form cannot be read"}


def part(name: str, value: str = "", head: str = "") -> bytes:
    return f'--x\r\n{head}Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}
PADDING = "x" * 10_000


@pytest.fixture
def known(run: Run, tmp_path: Path) -> object:
    path = tmp_path / "clients.toml"
    digest = sha256(TOKEN.encode()).hexdigest()
    path.write_text(f'[clients.one]\ntoken_sha256 = ["{digest}"]\npermissions = ["translate"]\n')
    return run(clients=str(path))


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (multipart(*[part("a")] * 80_000), "multipart/form-data; boundary=x"),
        (multipart(part("a", head="X: y\r\n" * 50_000)), "multipart/form-data; boundary=x"),
        (multipart(part("a;" + "b=c;" * 60_000)), "multipart/form-data; boundary=x"),
        (multipart(part("q")), "multipart/form-data;" + "a=b;" * 6000),
        (b"--x\r\n" + b"(" * 4_000_000, "multipart/form-data; boundary=x"),
        (b"\r\n--y" * 500_000, "multipart/form-data; boundary=x"),
        (b"&" * 4_000_000, "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_made_to_be_slow_is_refused(server: Server, body: bytes, media_type: str) -> None:
    answer = ask(server, "/translate", body, headers={"Content-Type": media_type})
    assert answer.status == 400
    assert answer.json["error"].startswith("Invalid request: ")


@pytest.mark.parametrize("name", ["((((" * 50, "a\\", ""])
def test_strange_names_are_names(server: Server, name: str) -> None:
    parts = (part(name), *(part(*item) for item in CAT.items()))
    assert ask(server, "/translate", multipart(*parts), headers=MULTIPART).json == {"translatedText": "katu"}


def test_a_form_has_few_fields(server: Server) -> None:
    many = [*CAT.items(), *((f"other{number}", "x") for number in range(MAX_FIELDS - len(CAT)))]
    for fields, expected in ((many, {"translatedText": "katu"}), ([*many, ("one", "more")], UNREADABLE)):
        assert ask(server, "/translate", urlencode(fields).encode(), headers=FORM).json == expected
        body = multipart(*(part(*field) for field in fields))
        assert ask(server, "/translate", body, headers=MULTIPART).json == expected


LONG = [
    (b'{"padding": "%s", "api_key": "%s", "q": "cat", "source": "en", "target": "xx"}', JSON),
    (b"padding=%s&api_key=%s&q=cat&source=en&target=xx", FORM),
    (multipart(part("padding", "%s"), part("api_key", "%s"), *(part(*item) for item in CAT.items())), MULTIPART),
]


@pytest.mark.parametrize(("body", "headers"), LONG)
def test_a_long_body_is_read_for_who_may_translate_only(
    known: object, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str]
) -> None:
    read_by: list[str] = []
    fields_of = reading.fields_of

    def watched(request: object) -> object:
        read_by.append(threading.current_thread().name)
        return fields_of(request)  # type: ignore[arg-type]

    monkeypatch.setattr("service.api.http.libretranslate.parameters.fields_of", watched)
    with known as server:  # type: ignore[attr-defined]
        for key in ("guess", ""):
            refused = ask(server, "/translate", body % (PADDING.encode(), key.encode()), headers=headers)
            assert refused.status == 403
            assert "token" in refused.json["error"]
        assert read_by == []
        answer = ask(server, "/translate", body % (PADDING.encode(), TOKEN.encode()), headers=headers)
        assert answer.json == {"translatedText": "katu"}
        bearer = {**headers, "Authorization": f"Bearer {TOKEN}"}
        assert ask(server, "/translate", body % (PADDING.encode(), b""), headers=bearer).status == 200
        assert {name.rpartition("_")[0] for name in read_by} == {"http-conversion"}
