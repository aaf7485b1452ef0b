from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def test_importing_the_service_loads_no_torch() -> None:
    program = (
        "import sys, pkgutil, importlib, service\n"
        "for module in pkgutil.walk_packages(service.__path__, 'service.'):\n"
        "    importlib.import_module(module.name)\n"
        "assert 'service.api.server' in sys.modules and 'service.client.client' in sys.modules\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('torch', 'onnx', 'training', 'export')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_service_reads_nothing_that_could_run() -> None:
    """No pickle, no marshal, no eval: a bundle is data."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "torch"}
    for path in Path("service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.Call):
                names = {node.func.id} & {"eval", "exec"} if isinstance(node.func, ast.Name) else set()
                names |= {word.arg for word in node.keywords if word.arg == "allow_pickle"}
            else:
                continue
            assert not names & (forbidden | {"eval", "exec", "allow_pickle"}), f"{path}:{node.lineno}"
