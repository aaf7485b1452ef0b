"""`python -m service.api.http.openapi DESCRIPTORS OUTPUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from service.api.http.openapi.document import document


def main(descriptors: str, output: str) -> None:
    """Read what protoc wrote with --include_source_info, and write the document."""
    files = FileDescriptorSet.FromString(Path(descriptors).read_bytes()).file
    Path(output).write_text(json.dumps(document(files), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
