"""Input number INDEX of a campaign: the same for the same seed, however far the campaign has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bench.fuzzing.calls import Call, Metadata
from bench.fuzzing.encoding import length_delimited
from bench.fuzzing.generate import PLAUSIBLE, Generator
from bench.fuzzing.methods import RARE_METHODS, Method, every_method, unknown_method
from bench.fuzzing.mutate import mutate, noise
from bench.fuzzing.values import STRANGE_TEXTS
from bench.fuzzing.wire import Attack, grpc_attack, http_attack

SHARE_OF_ATTACKS = 0.02
SHARE_OF_UNKNOWN_METHODS = 0.01
SHARE_OF_WRONG_SHAPES = 0.002
"""Calls with no request, or two, where there should be one."""
SHARE_OF_HUGE_REQUESTS = 0.0005
TOO_MANY_BYTES = 4 * 2**20 + 1
"""Beyond the server's default limit of one message."""
MANY_FIELDS = (2**13, 2**17)

_UNKNOWN_PATHS = (
    "/seq2serve.v1.TranslationService/Nothing",
    "/seq2serve.v1.Nobody/Translate",
    "/seq2serve.v2.TranslationService/Translate",
    "/grpc.health.v1.Health/Nothing",
    "/../../etc/passwd",
    "/",
    "//",
)
_METADATA_KEYS = ("x-request-id", "traceparent", "tracestate", "authorization", "x-api-key", "x", "accept-language")
_METADATA_VALUES = (
    *("", " ", "x" * 200, "Bearer ", "Bearer x.y.z", "Basic ====", "\t", "%00", "*", '"', "\\", "a,b;c=d", "../.."),
    *("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-0", "ff-" + "f" * 32 + "-" + "f" * 16 + "-ff"),
)


@dataclass(frozen=True)
class PortAttack:
    """An attack, and whether it goes to the HTTP port rather than to that of gRPC."""

    attack: Attack
    is_http: bool


class Inputs:
    """Draws the inputs of one campaign."""

    def __init__(self, seed: int, model_names: Sequence[str]) -> None:
        """`model_names`: of the models that are served."""
        self._seed = seed
        self._model_names = model_names
        names = (*model_names, "")
        self._plausible = {**PLAUSIBLE, "model": names, "name": model_names}
        methods = every_method()
        self._methods = [method for method in methods if method.name not in RARE_METHODS]
        self._rare = [method for method in methods if method.name in RARE_METHODS]
        self._weights = [4 if method.is_ours else 1 for method in self._methods]

    def draw(self, index: int) -> Call | PortAttack:
        """Input number `index`."""
        random = Random(f"{self._seed}:{index}")  # noqa: S311 - to be repeated, not to be secret
        if random.random() < SHARE_OF_ATTACKS:
            is_http = random.random() < 0.4
            return PortAttack((http_attack if is_http else grpc_attack)(random), is_http)
        return self._call(self._method(random), random)

    def _method(self, random: Random) -> Method:
        draw = random.random()
        if draw < SHARE_OF_UNKNOWN_METHODS:
            return unknown_method(random.choice(_UNKNOWN_PATHS))
        if draw > 0.999 and self._rare:
            return random.choice(self._rare)
        return random.choices(self._methods, self._weights)[0]

    def _call(self, method: Method, random: Random) -> Call:
        number = random.choice((0, 1, 2, 3)) if method.is_request_stream else 1
        if random.random() < SHARE_OF_WRONG_SHAPES:
            number = random.choice((0, 2))
        requests = tuple(self.request(method, random) for _ in range(number))
        cancel = random.choice((0.0, 0.001, 0.01, 0.05)) if random.random() < 0.05 else None
        deadline = random.choice((0.0, 0.001, 0.005, 0.05)) if random.random() < 0.05 else None
        if not (requests or method.is_request_stream):
            deadline = 0.05  # gRPC leaves it without a status
        if method.path == "/grpc.health.v1.Health/Watch" and cancel is None:
            cancel = 0.02  # it goes on for ever
        return Call(
            method,
            requests,
            _metadata(random),
            deadline_seconds=deadline,
            cancel_after_seconds=cancel,
            pause_seconds=random.choice((0.0, 0.0, 0.0, 0.005)),
        )

    def request(self, method: Method, random: Random) -> bytes:
        """A request for an RPC; never one that could unload a model that is served."""
        content = self._content(method, random)
        if method.name == "UnloadModel" and any(name.encode() in content for name in self._model_names):
            return b""  # else the rest of the campaign would meet a server with nothing to do
        return content

    def _content(self, method: Method, random: Random) -> bytes:
        generator, draw = Generator(random, self._plausible), random.random()
        if draw < SHARE_OF_HUGE_REQUESTS:
            return _huge(random)
        if draw < 0.08:
            return noise(random)
        if draw < 0.5:
            return generator.plausible(method.request).SerializeToString()
        if draw < 0.75:
            return generator.strange(method.request).SerializeToString()
        message = (generator.strange if random.random() < 0.5 else generator.plausible)(method.request)
        return mutate(message.SerializeToString(), random)


def _huge(random: Random) -> bytes:
    if random.random() < 0.5:
        return bytes(TOO_MANY_BYTES)
    number = random.choice((1, 2, 3))
    return length_delimited(number, b"") * random.choice(MANY_FIELDS) + length_delimited(number, b"\xff")


def _metadata(random: Random) -> Metadata:
    if random.random() < 0.8:
        return ()
    pairs: list[tuple[str, str | bytes]] = []
    for _ in range(random.randint(1, 4)):
        if random.random() < 0.3:
            pairs.append(("junk-bin", random.randbytes(random.choice((0, 1, 30, 1000)))))
        else:
            pairs.append((random.choice(_METADATA_KEYS), _printable(random)))
    if random.random() < 0.01:
        pairs.append(("x-long", "x" * 20_000))
    return tuple(pairs)


def _printable(random: Random) -> str:
    value = random.choice((*_METADATA_VALUES, *STRANGE_TEXTS, "".join(map(chr, random.choices(range(32, 127), k=9)))))
    return "".join(character for character in value if " " <= character <= "~")
