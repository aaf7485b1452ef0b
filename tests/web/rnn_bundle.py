"""python -m tests.web.rnn_bundle DIR: a small RNN with Bahdanau's attention, its weights random, to look at."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from export.writer import ExportOptions, export
from tests.export.recurrent import make_checkpoint
from tests.training.recurrent import FAMILIES


def main() -> None:
    checkpoint = make_checkpoint(**FAMILIES["bahdanau"])
    checkpoint.recipe = msgspec.structs.replace(checkpoint.recipe, name="rnn-bahdanau", target_language="ko")
    export(checkpoint, Path(sys.argv[1]), ExportOptions(name="rnn-bahdanau"))


if __name__ == "__main__":
    main()
