"""Whatever JSON comes, it is answered with a status that says whose fault it is."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.server import Server
from tests.service.http.serving import ask

NAMES = (
    "texts",
    "text",
    "pairs",
    "source",
    "target",
    "modelSelection",
    "model",
    "decoding",
    "beamSize",
    "seed",
    "q",
    "format",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(("cat", "exact", "en"))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(lambda value: json.dumps(value).encode())
PATHS = st.sampled_from(
    ("/v1/translate", "/v1/translate:stream", "/v1/score", "/v1/attend", "/v1/models:load", "/translate", "/detect")
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS, BODIES | st.binary(max_size=40))
def test_no_body_is_our_fault(server: Server, path: str, body: bytes) -> None:
    answer = ask(server, path, body, headers={"Content-Type": "application/json"})
    assert answer.status in (200, 400, 403, 404), answer
    if answer.status != 200:
        told = answer.json
        assert told["error" if not path.startswith("/v1/") else "message"]
