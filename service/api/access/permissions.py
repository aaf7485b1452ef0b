"""What a client may be allowed to do, and which RPCs that is."""

from __future__ import annotations

import enum


class Permission(enum.Enum):
    """By its name in the clients file."""

    TRANSLATE = "translate"
    READ_MODELS = "read_models"
    ADMINISTER_MODELS = "administer_models"


_NEEDED = {
    "/seq2serve.v1.TranslationService/Translate": Permission.TRANSLATE,
    "/seq2serve.v1.TranslationService/TranslateStream": Permission.TRANSLATE,
    "/seq2serve.v1.TranslationService/BatchTranslate": Permission.TRANSLATE,
    "/seq2serve.v1.TranslationService/Score": Permission.TRANSLATE,
    "/seq2serve.v1.TranslationService/Attend": Permission.TRANSLATE,
    "/seq2serve.v1.CaptionService/Caption": Permission.TRANSLATE,
    "/seq2serve.v1.ModelService/ListModels": Permission.READ_MODELS,
    "/seq2serve.v1.ModelService/GetModel": Permission.READ_MODELS,
    "/seq2serve.v1.ModelService/LoadModel": Permission.ADMINISTER_MODELS,
    "/seq2serve.v1.ModelService/UnloadModel": Permission.ADMINISTER_MODELS,
}
_HEALTH = "/grpc.health.v1.Health/"
_REFLECTION = ("/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/")


def is_open(method: str) -> bool:
    """Whether everybody may call a method without saying who asks: load balancers probe health."""
    return method.startswith(_HEALTH)


def permission_of(method: str) -> Permission | None:
    """The permission that a method of our services needs; None: it is no method of theirs."""
    return _NEEDED.get(method)


def sufficient_permissions(method: str) -> frozenset[Permission]:
    """Any one of them is enough to call a method that is not open; empty: nobody may.

    A method that is not known here is refused to everybody. Reflection is for clients that may do anything at all.
    """
    if method.startswith(_REFLECTION):
        return frozenset(Permission)
    needed = permission_of(method)
    return frozenset() if needed is None else frozenset({needed})
