from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from service.api.access.access import Access
from service.errors import PermissionDeniedError, QuotaExceededError, SettingsError, UnauthenticatedError
from service.settings import Settings
from tests.service.access.clock import Clock

TRANSLATE = "/seq2serve.v1.TranslationService/Translate"
LIST_MODELS = "/seq2serve.v1.ModelService/ListModels"
LOAD_MODEL = "/seq2serve.v1.ModelService/LoadModel"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
METHODS = {TRANSLATE, LIST_MODELS, LOAD_MODEL, HEALTH, REFLECTION}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clients.toml"


def table(name: str, permissions: str = '"translate"', more: str = "") -> str:
    digest = sha256(f"token-of-{name}".encode()).hexdigest()
    return f'[clients.{name}]\ntoken_sha256 = ["{digest}"]\npermissions = [{permissions}]\n{more}\n'


def bearer(name: str) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer token-of-{name}")]


def access_to(path: Path, clock: Callable[[], float], *tables: str) -> Access:
    path.write_text("".join(tables))
    return Access.of(Settings(clients=str(path)), clock)


def may(access: Access, metadata: list[tuple[str, str | bytes]]) -> set[str]:
    allowed = set()
    for method in METHODS:
        try:
            with access.admit(method, metadata, {}):
                allowed.add(method)
        except (PermissionDeniedError, UnauthenticatedError):
            pass
    return allowed


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ("translate,read_models", {TRANSLATE, LIST_MODELS, REFLECTION}),
        (" translate , administer_models ", {TRANSLATE, LOAD_MODEL, REFLECTION}),
        ("administer_models", {LOAD_MODEL, REFLECTION}),
        ("", set()),
        (" ", set()),
    ],
)
def test_without_a_clients_file_whoever_asks_may_what_the_setting_says(permissions: str, allowed: set[str]) -> None:
    access = Access.of(Settings(anonymous_permissions=permissions))
    assert may(access, []) == allowed | {HEALTH}
    assert may(access, bearer("website")) == allowed | {HEALTH}


async def test_who_is_anonymous_has_no_name_and_no_quota() -> None:
    access = Access.of(Settings())
    for _ in range(100):
        admission = access.admit(TRANSLATE, [], {"x509_common_name": [b"website"]})
        assert admission.client == ""
        admission.spend(10**9)
        await asyncio.wait_for(admission.wait(), 0.1)


@pytest.mark.parametrize("names", ["fly", "translate,,read_models", "translate;read_models", "TRANSLATE"])
@pytest.mark.parametrize("has_clients", [False, True])
def test_unknown_anonymous_permissions_are_refused(path: Path, names: str, has_clients: bool) -> None:
    path.write_text(table("website"))
    clients = str(path) if has_clients else ""
    with pytest.raises(SettingsError, match="anonymous_permissions .*: expected some of translate, read_models, adm"):
        Access.of(Settings(anonymous_permissions=names, clients=clients))


def test_a_clients_file_that_cannot_be_used_is_refused_at_start(path: Path) -> None:
    with pytest.raises(SettingsError, match="clients .*clients.toml: No such file"):
        Access.of(Settings(clients=str(path)))


def test_each_client_may_what_its_table_says(path: Path, clock: Clock) -> None:
    access = access_to(
        path,
        clock,
        table("website", '"translate", "read_models"'),
        table("operator", '"administer_models"'),
        table("suspended", ""),
    )
    assert may(access, bearer("website")) == {TRANSLATE, LIST_MODELS, REFLECTION, HEALTH}
    assert may(access, bearer("operator")) == {LOAD_MODEL, REFLECTION, HEALTH}
    assert may(access, bearer("suspended")) == {HEALTH}
    assert may(access, bearer("nobody")) == {HEALTH}
    assert may(access, []) == {HEALTH}


def test_health_is_answered_whatever_is_shown_and_is_nobodys(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website", more="max_concurrent_requests = 1"))
    for metadata in ([], bearer("website"), [("authorization", b"\xff")]):
        assert access.admit(HEALTH, metadata, {}).client == ""


def test_a_refusal_names_the_client_and_the_missing_permission(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website"), table("suspended", ""))
    for name, method, message in (
        ("website", LOAD_MODEL, "client 'website' lacks the permission administer_models"),
        ("suspended", REFLECTION, "client 'suspended' lacks the permission translate or read_models or administer"),
        ("website", "/x/y", "client 'website' may not call this method; nobody may"),
    ):
        with pytest.raises(PermissionDeniedError, match=message):
            access.admit(method, bearer(name), {})
    with pytest.raises(PermissionDeniedError, match="a client without a name lacks the permission administer_models"):
        Access.of(Settings()).admit(LOAD_MODEL, [], {})


def test_who_is_not_known_is_not_told_what_exists(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website"))
    for method in (TRANSLATE, LOAD_MODEL, "/x/y", REFLECTION):
        with pytest.raises(UnauthenticatedError):
            access.admit(method, [], {})


def test_slots_are_given_back_once(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website", more="max_concurrent_requests = 2"), table("editor"))
    first = access.admit(TRANSLATE, bearer("website"), {})
    second = access.admit(TRANSLATE, bearer("website"), {})
    with pytest.raises(QuotaExceededError, match="2 requests"):
        access.admit(TRANSLATE, bearer("website"), {})
    access.admit(TRANSLATE, bearer("editor"), {})
    with first:
        pass
    with first:
        pass
    third = access.admit(TRANSLATE, bearer("website"), {})
    with pytest.raises(QuotaExceededError):
        access.admit(TRANSLATE, bearer("website"), {})
    with pytest.raises(ZeroDivisionError), second, third:
        raise ZeroDivisionError
    for _ in range(2):
        access.admit(TRANSLATE, bearer("website"), {})


def test_a_refused_rpc_takes_no_slot(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website", more="max_concurrent_requests = 1"))
    with pytest.raises(PermissionDeniedError):
        access.admit(LOAD_MODEL, bearer("website"), {})
    access.admit(TRANSLATE, bearer("website"), {})


def test_what_was_spent_counts_for_the_client_not_the_connection(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website", more="max_source_tokens_per_minute = 60"), table("editor"))
    with access.admit(TRANSLATE, bearer("website"), {}) as admission:
        admission.spend(90)
    with pytest.raises(QuotaExceededError) as caught:
        access.admit(TRANSLATE, bearer("website"), {})
    assert caught.value.quota == "max_source_tokens_per_minute"
    assert caught.value.retry_after_seconds == pytest.approx(30, abs=0.002)
    access.admit(TRANSLATE, bearer("editor"), {})
    clock.now += caught.value.retry_after_seconds
    access.admit(TRANSLATE, bearer("website"), {})


async def test_a_stream_waits_where_an_rpc_would_be_refused(path: Path) -> None:
    access = access_to(path, time.monotonic, table("website", more="max_source_tokens_per_minute = 600000"))
    with access.admit(TRANSLATE, bearer("website"), {}) as admission:
        admission.spend(601_000)
        with pytest.raises(QuotaExceededError):
            access.admit(TRANSLATE, bearer("website"), {})
        await asyncio.wait_for(admission.wait(), 5)
        access.admit(TRANSLATE, bearer("website"), {})


def test_a_revoked_token_is_refused_at_the_next_rpc(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website"), table("editor"))
    with access.admit(TRANSLATE, bearer("website"), {}):
        path.write_text(table("editor"))
        clock.now += 1
        with pytest.raises(UnauthenticatedError):
            access.admit(TRANSLATE, bearer("website"), {})
    access.admit(TRANSLATE, bearer("editor"), {})
    path.write_text("")
    clock.now += 1
    with pytest.raises(UnauthenticatedError):
        access.admit(TRANSLATE, bearer("editor"), {})


def test_changed_permissions_count_at_the_next_rpc(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website"))
    path.write_text(table("website", '"read_models"'))
    clock.now += 1
    assert may(access, bearer("website")) == {LIST_MODELS, REFLECTION, HEALTH}


def test_a_file_that_was_made_unusable_leaves_the_clients_as_they_were(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    access = access_to(path, clock, table("website"))
    path.write_text(table("website") + "[clients.editor]\n")
    clock.now += 1
    access.admit(TRANSLATE, bearer("website"), {})
    assert "client 'editor': Object missing required field `permissions`" in caplog.text


@pytest.mark.parametrize("more", ["# touched", "max_concurrent_requests = 2\n#"])
def test_slots_in_use_survive_a_reload_with_and_without_new_limits(path: Path, clock: Clock, more: str) -> None:
    limit = "max_concurrent_requests = 2"
    access = access_to(path, clock, table("website", more=limit))
    running = [access.admit(TRANSLATE, bearer("website"), {}) for _ in range(2)]
    path.write_text(table("website", more=f"{limit}\n# touched"))
    clock.now += 1
    with pytest.raises(QuotaExceededError):
        access.admit(TRANSLATE, bearer("website"), {})
    path.write_text(table("website", more="max_concurrent_requests = 3"))
    clock.now += 1
    running.append(access.admit(TRANSLATE, bearer("website"), {}))
    with pytest.raises(QuotaExceededError):
        access.admit(TRANSLATE, bearer("website"), {})
    path.write_text(table("website", more="max_concurrent_requests = 1"))
    clock.now += 1
    for admission in running:
        with pytest.raises(QuotaExceededError):
            access.admit(TRANSLATE, bearer("website"), {})
        with admission:
            pass
    access.admit(TRANSLATE, bearer("website"), {})


def test_a_debt_survives_a_reload_and_the_clients_absence(path: Path, clock: Clock) -> None:
    access = access_to(path, clock, table("website", more="max_source_tokens_per_minute = 60"))
    with access.admit(TRANSLATE, bearer("website"), {}) as admission:
        admission.spend(160)
    path.write_text("")
    clock.now += 1
    with pytest.raises(UnauthenticatedError):
        access.admit(TRANSLATE, bearer("website"), {})
    path.write_text(table("website", more="max_source_tokens_per_minute = 120"))
    clock.now += 1
    with pytest.raises(QuotaExceededError) as caught:
        access.admit(TRANSLATE, bearer("website"), {})
    # 100 of debt; two seconds at 60 tokens a minute; the rest at 120.
    assert caught.value.retry_after_seconds == pytest.approx(49, abs=0.002)
