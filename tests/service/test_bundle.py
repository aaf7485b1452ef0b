"""What of a directory is taken for a bundle: its bytes are read once, verified, and nothing else is used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.bundle.bundle import Bundle
from service.bundle.manifest import FILE_NAME, MAX_MANIFEST_BYTES, describe_file, load_manifest
from service.bundle.runtime import Runtime
from service.errors import BundleError

MANIFEST = FILE_NAME


@pytest.fixture
def bundle(models: Path, tmp_path: Path) -> Path:
    return shutil.copytree(models / "exact", tmp_path / "bundle")


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime.start("cpu")


def link_out(path: Path) -> None:
    elsewhere = path.parent.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def fill(path: Path) -> None:
    path.write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))


def nest(path: Path) -> None:
    path.write_bytes(b"[" * 10**6)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link out of the bundle": (link_out, "leads out of the bundle"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "holds no manifest|is missing"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cannot be read"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "leads out of the bundle"),
    "a fifo": (os.mkfifo, "is not a regular file"),
    "a directory": (os.mkdir, "cannot be read"),
    "huge": (fill, "is larger than|is not the file"),
    "nested deeper than a parser goes": (nest, "is malformed|is not the file"),
    "empty": (Path.touch, "is malformed|is not the file"),
    "nothing": (lambda path: None, "holds no manifest|is missing"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", [MANIFEST, "encoder.onnx", "source.model"])
@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_file_is_refused_and_holds_nothing_up(bundle: Path, name: str, kind: str, runtime: Runtime) -> None:
    make, message = STRANGE[kind]
    if make is not link_out:
        (bundle / name).unlink()
    make(bundle / name)
    with pytest.raises(BundleError, match=message):
        Bundle.load(bundle, runtime)


def test_links_within_the_bundle_are_followed_as_volumes_have_them(bundle: Path, runtime: Runtime) -> None:
    (bundle / "..data").mkdir()
    for name in (MANIFEST, "encoder.onnx"):
        (bundle / name).rename(bundle / "..data" / name)
        (bundle / name).symlink_to(Path("..data") / name)
    assert Bundle.load(bundle, runtime).manifest.name == "exact"


@pytest.mark.parametrize(
    ("file", "key", "content", "message"),
    [
        ("encoder.onnx", "encoder", b"nonsense", "cannot be loaded by onnxruntime"),
        ("explain.onnx", "explain", b"\0" * 10, "cannot be loaded by onnxruntime"),
        ("source.model", "source_tokenizer", b"nonsense", "is not a SentencePiece model"),
        ("target.model", "target_tokenizer", b"\0", "is not a SentencePiece model"),
    ],
)
def test_what_the_libraries_cannot_read_is_refused(
    bundle: Path, file: str, key: str, content: bytes, message: str, runtime: Runtime
) -> None:
    (bundle / file).write_bytes(content)
    manifest = json.loads((bundle / MANIFEST).read_bytes())
    entry = describe_file(bundle / file)
    manifest["files"][key] = {"name": entry.name, "sha256": entry.sha256, "num_bytes": entry.num_bytes}
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"{file} {message}"):
        Bundle.load(bundle, runtime)


def test_a_file_that_changes_after_it_was_verified_changes_nothing(
    bundle: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Runtime.open

    def overwrite_then_open(self: Runtime, content: bytes, name: str, *arguments: Any) -> object:
        Path(name).write_bytes(b"another")
        return original(self, content, name, *arguments)

    monkeypatch.setattr(Runtime, "open", overwrite_then_open)
    assert Bundle.load(bundle, runtime).decoder.get_inputs()
    assert (bundle / "decoder.onnx").read_bytes() == b"another"


def test_sessions_do_not_keep_the_bytes_they_were_made_from(bundle: Path, runtime: Runtime) -> None:
    loaded = Bundle.load(bundle, runtime)
    kept = [value for session in (loaded.encoder, loaded.decoder, loaded.explain) for value in vars(session).values()]
    assert not [value for value in kept if isinstance(value, bytes)]


def test_the_size_of_the_weights_is_that_of_the_graphs(bundle: Path) -> None:
    assert load_manifest(bundle).files.num_weight_bytes == sum(
        (bundle / f"{name}.onnx").stat().st_size for name in ("encoder", "decoder", "explain")
    )
