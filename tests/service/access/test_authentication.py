from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256

import pytest

from service.api.access.authentication import KnownClients
from service.api.access.clients_file import Client
from service.errors import UnauthenticatedError

WEBSITE = Client(
    "website",
    frozenset(),
    token_hashes=(sha256(b"website-1").digest(), sha256(b"website-2").digest()),
    certificate_names=(b"website.internal", b"website"),
)
EDITOR = Client(
    "editor", frozenset(), token_hashes=(sha256(b"editor-1").digest(),), certificate_names=(b"editor.internal",)
)
KNOWN = KnownClients([WEBSITE, EDITOR])

Metadata = list[tuple[str, str | bytes]]


def bearer(token: str) -> Metadata:
    return [("user-agent", "test"), ("authorization", f"Bearer {token}")]


def certificate(*names: bytes, common_name: bytes | None = None) -> dict[str, Iterable[bytes]]:
    context: dict[str, Iterable[bytes]] = {
        "transport_security_type": [b"ssl"],
        "x509_pem_cert": [b"..."],
        "x509_subject_alternative_name": names,
    }
    return context | ({"x509_common_name": [common_name]} if common_name else {})


NO_CERTIFICATE: dict[str, Iterable[bytes]] = {"transport_security_type": [b"ssl"], "security_level": [b"x"]}


def refusal(metadata: Metadata, auth_context: dict[str, Iterable[bytes]] = NO_CERTIFICATE) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        KNOWN.who(metadata, auth_context)
    message = str(caught.value)
    assert "website" not in message
    assert "editor" not in message
    return message


@pytest.mark.parametrize(("token", "client"), [("website-1", WEBSITE), ("website-2", WEBSITE), ("editor-1", EDITOR)])
def test_each_token_is_its_clients(token: str, client: Client) -> None:
    assert KNOWN.who(bearer(token), NO_CERTIFICATE) is client


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR   "])
def test_the_scheme_is_written_in_any_case(scheme: str) -> None:
    assert KNOWN.who([("authorization", f"{scheme}editor-1")], {}) is EDITOR


@pytest.mark.parametrize(
    "context",
    [
        certificate(b"website.internal"),
        certificate(b"other", b"website.internal"),
        certificate(common_name=b"website"),
        certificate(b"website.internal", common_name=b"website"),
        certificate(b"other", common_name=b"website.internal"),
    ],
)
def test_a_certificate_is_its_clients_by_any_of_its_names(context: dict[str, Iterable[bytes]]) -> None:
    assert KNOWN.who([], context) is WEBSITE


def test_token_and_certificate_of_one_client_go_together() -> None:
    assert KNOWN.who(bearer("editor-1"), certificate(b"editor.internal")) is EDITOR


def test_token_and_certificate_of_two_clients_do_not() -> None:
    message = refusal(bearer("editor-1"), certificate(b"website.internal"))
    assert message == "the token and the client certificate are not of the same client"


@pytest.mark.parametrize(
    "context",
    [
        certificate(),
        certificate(b""),
        certificate(b"WEBSITE.internal"),
        certificate(b"website.internal\0"),
        certificate(b"a.website.internal"),
        certificate(b"\xff\xfe"),
        certificate(b"website.internal", b"editor.internal"),
        certificate(b"website.internal", common_name=b"editor.internal"),
    ],
)
def test_a_certificate_that_is_not_one_clients_is_refused(context: dict[str, Iterable[bytes]]) -> None:
    assert refusal([], context) == "the client certificate does not name one client that is known"


@pytest.mark.parametrize("context", [certificate(), certificate(b"mesh.internal"), certificate(b"\xff\xfe")])
def test_beside_a_token_a_certificate_may_name_nobody(context: dict[str, Iterable[bytes]]) -> None:
    assert KNOWN.who(bearer("editor-1"), context) is EDITOR


def test_beside_a_token_a_certificate_may_not_name_others_too() -> None:
    both = certificate(b"website.internal", b"editor.internal")
    assert refusal(bearer("editor-1"), both) == "the token and the client certificate are not of the same client"


@pytest.mark.parametrize("context", [NO_CERTIFICATE, certificate(b"website.internal")])
@pytest.mark.parametrize("token", ["website", "website-", "website-11", "Website-1", sha256(b"website-1").hexdigest()])
def test_an_unknown_token_is_refused_even_if_a_certificate_fits(
    token: str, context: dict[str, Iterable[bytes]]
) -> None:
    assert refusal(bearer(token), context) == "the token is not known"


def test_who_shows_nothing_is_told_what_to_show() -> None:
    assert refusal([("user-agent", "x")]) == "give a token, as authorization: Bearer TOKEN, or a client certificate"
    assert refusal([], {}).startswith("give a token")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "website-1",
        "Basic website-1",
        "Bearerwebsite-1",
        "Bearer\twebsite-1",
        " Bearer website-1",
        "Bearer website-1 ",
        "Bearer website-1\n",
        "Bearer website-1, Bearer website-1",
        "Bearer \x00\x01",
        "Bearer wébsite",
        "Bearer \udcff",
        b"Bearer website-1",
        b"\xff\x00",
    ],
)
def test_garbage_is_refused_even_if_a_certificate_fits(value: str | bytes) -> None:
    assert refusal([("authorization", value)]) == "authorization: expected Bearer TOKEN"
    assert refusal([("authorization", value)], certificate(b"website.internal")).startswith("authorization:")


def test_several_authorizations_are_refused() -> None:
    assert refusal(bearer("website-1") * 2) == "authorization: given more than once"


def test_long_tokens_are_refused_before_they_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(bearer("a" * 512)) == "the token is not known"
    monkeypatch.setattr("hashlib.sha256", None)
    assert refusal(bearer("a" * 513)) == "authorization: the token is longer than 512 characters"


@pytest.mark.parametrize("token", ["website-1", "website-2", "editor-1", "nobody"])
def test_a_token_is_compared_with_all_hashes_in_constant_time(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared, compare = [], hmac.compare_digest

    def comparing(given: bytes, known: bytes) -> bool:
        compared.append(known)
        return compare(given, known)

    monkeypatch.setattr(hmac, "compare_digest", comparing)
    try:
        KNOWN.who(bearer(token), {})
    except UnauthenticatedError:
        assert token == "nobody"
    assert compared == [*WEBSITE.token_hashes, *EDITOR.token_hashes]


def test_nobody_is_known_from_an_empty_file() -> None:
    with pytest.raises(UnauthenticatedError):
        KnownClients([]).who(bearer("website-1"), {})
    with pytest.raises(UnauthenticatedError):
        KnownClients([]).who([], certificate(b"website.internal"))
