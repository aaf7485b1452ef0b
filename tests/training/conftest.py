from __future__ import annotations

from pathlib import Path

import pytest

from tests import synthetic
from training.__main__ import main


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic corpus, prepared and with its vocabulary; recipe.yaml lies beside it."""
    directory = tmp_path_factory.mktemp("prepared")
    (directory / "recipe.yaml").write_text(synthetic.RECIPE)
    synthetic.write_tsv(str(directory / "pairs.tsv"), number=400)
    recipe, data = str(directory / "recipe.yaml"), str(directory)
    assert main(["prepare", recipe, "--input", f"{directory}/pairs.tsv", "--output", data]) == 0
    assert main(["vocabulary", recipe, "--data", data]) == 0
    return directory
