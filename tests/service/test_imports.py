from __future__ import annotations

import subprocess
import sys


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
