from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from service.api.access.permissions import Permission, is_open, permission_of, sufficient_permissions
from service.pb.seq2serve.v1 import caption_service_pb2, model_service_pb2, translation_service_pb2


def methods_of(*files: object) -> list[str]:
    return [
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]
        for method in service.methods
    ]


OURS = methods_of(translation_service_pb2, caption_service_pb2, model_service_pb2)


@pytest.mark.parametrize("method", OURS)
def test_every_method_of_ours_needs_a_permission(method: str) -> None:
    permission = permission_of(method)
    assert permission is not None
    assert sufficient_permissions(method) == {permission}
    assert not is_open(method)


@pytest.mark.parametrize(
    ("method", "permission"),
    [
        ("TranslationService/Translate", Permission.TRANSLATE),
        ("TranslationService/TranslateStream", Permission.TRANSLATE),
        ("TranslationService/BatchTranslate", Permission.TRANSLATE),
        ("TranslationService/Score", Permission.TRANSLATE),
        ("TranslationService/Attend", Permission.TRANSLATE),
        ("CaptionService/Caption", Permission.TRANSLATE),
        ("ModelService/ListModels", Permission.READ_MODELS),
        ("ModelService/GetModel", Permission.READ_MODELS),
        ("ModelService/LoadModel", Permission.ADMINISTER_MODELS),
        ("ModelService/UnloadModel", Permission.ADMINISTER_MODELS),
    ],
)
def test_methods_need_the_permission_that_is_written_down(method: str, permission: Permission) -> None:
    assert permission_of(f"/seq2serve.v1.{method}") is permission


@pytest.mark.parametrize("method", methods_of(health_pb2))
def test_health_is_open_to_everybody(method: str) -> None:
    assert is_open(method)


@pytest.mark.parametrize(
    "method",
    [*methods_of(reflection_pb2), "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"],
)
def test_reflection_is_for_whoever_may_do_anything(method: str) -> None:
    assert not is_open(method)
    assert sufficient_permissions(method) == set(Permission)


@pytest.mark.parametrize(
    "method",
    [
        "",
        "/",
        "Translate",
        "/seq2serve.v1.TranslationService/Delete",
        "/seq2serve.v1.TranslationService/translate",
        "/seq2serve.v1.TranslationService/Translate/",
        "/seq2serve.v2.TranslationService/Translate",
        "/grpc.health.v1.Health",
        "/grpc.health.v1.HealthAndMore/Check",
        "/x/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection",
        "/grpc.reflection.v1beta.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
    ],
)
def test_what_is_not_known_is_for_nobody(method: str) -> None:
    assert permission_of(method) is None
    assert sufficient_permissions(method) == frozenset()
    assert not is_open(method)
