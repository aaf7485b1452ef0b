"""python -m bench.fuzzing: strange inputs for a running server, or for one of its own; fails if anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.fuzzing.campaign import Campaign
from bench.fuzzing.checks import faults_in_log
from bench.processes import ServerProcess


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign or repeat one input; returns the exit code: 1 where there was a violation."""
    options = _parser().parse_args(arguments)
    if (options.grpc is None) != (options.http is None):
        raise SystemExit("error: give both --grpc and --http, or neither to start a server")
    if options.grpc is not None:
        return asyncio.run(_fuzz(options.grpc, options.http, options))
    with _server(options.models) as process:
        failed = asyncio.run(_fuzz(process.address, _http_address(process), options))
        log = process.output
        if options.log is not None:
            options.log.write_text(log)
    faults = faults_in_log(log)
    for fault, number in faults.most_common(20):
        print(f"in the server's log, {number} times: {fault}")
    return failed or int(bool(faults))


async def _fuzz(grpc_address: str, http_address: str, options: argparse.Namespace) -> int:
    campaign = Campaign(grpc_address, http_address, options.seed, options.inputs)
    if options.only is None:
        result = await campaign.run()
        print(result)
        return int(not result.is_clean)
    drawn, answer, violations = await campaign.run_only(options.only)
    print(f"sent: {drawn!r}\ngot: {answer!r}")
    for violation in violations:
        print(violation)
    return int(bool(violations))


def _server(models: Path) -> ServerProcess:
    command = [sys.executable, "-m", "service", "--models", str(models.resolve())]
    command += ["--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"]
    return ServerProcess(command, ready="gRPC on ")


def _http_address(process: ServerProcess) -> str:
    found = re.search(r"HTTP on http://(\S+)", process.output)
    assert found is not None  # in the line that says where gRPC is
    return found[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzzing", description=__doc__)
    parser.add_argument("--grpc", metavar="HOST:PORT", help="default: a server of its own is started")
    parser.add_argument("--http", metavar="HOST:PORT", help="of the same server")
    parser.add_argument("--models", type=Path, default=Path("models/en-ko-software"), help="of a server of its own")
    parser.add_argument("--inputs", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--only", type=int, metavar="INDEX", help="repeat one input of the campaign of that seed")
    parser.add_argument("--log", type=Path, help="write what a server of its own logged to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
