#!/usr/bin/env python3
"""How fast files are uploaded, beside boto3's transfer manager.

    cargo build --profile dist && python3 benches/upload.py [--runs 3] [--server loopback|far] [--work small|parts|large]

The server throws away what it gets. `far` takes 20 ms for each call, as AWS does. Also beside rclone, where it is installed.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from costs import Cost
from pairs import claimctl, row
from servers import HERE, MADE, far, loopback, peer_python, signed

SERVERS = {"loopback": loopback, "far": far}
# Files, and the bytes of each.
WORK = {"small": (10_000, 4 << 10), "parts": (200, 8 << 20), "large": (1, 2 << 30)}


def fill(folder, files, size):
    """Sparse, so that the disk has no say."""
    for number in range(files):
        with open(folder / f"{number:06}", "wb") as file:
            file.truncate(size)


def commands(endpoint, folder):
    yield "claimctl", [claimctl(), "upload", folder, "s3://bench/", "--quiet", "--yes", "--region", "us-east-1",
                       "--endpoint-url", endpoint]
    yield "boto3", [peer_python(), HERE / "peer.py", "upload", endpoint, "bench", folder]
    if shutil.which("rclone"):
        remote = f":s3,provider=Other,env_auth=true,endpoint='{endpoint}':bench"
        yield "rclone", ["rclone", "copy", folder, remote, "--config", "/dev/null"]


def measure(server, endpoint, name, runs):
    files, size = WORK[name]
    costs = {}
    with tempfile.TemporaryDirectory(dir=MADE) as place:
        folder = Path(place, "files")
        folder.mkdir()
        fill(folder, files, size)
        env = signed(CLAIMCTL_HOME=str(Path(place, "home")))
        # The first round warms the server and is not counted.
        for number in range(runs + 1):
            for program, command in commands(endpoint, folder):
                cost = Cost(command, env, place)
                if number:
                    costs.setdefault(program, []).append(cost)
    ours = costs["claimctl"]
    for program, theirs in costs.items():
        ratio = statistics.median(their.seconds / our.seconds for our, their in zip(ours, theirs))
        seconds = statistics.median(cost.seconds for cost in theirs)
        each = f"{files / seconds:,.0f} files/s" if files > 1 else f"{size / seconds / 2**20:,.0f} MiB/s"
        row(f"{server}: {name}: {program}", f"{seconds:.1f} s", each,
            f"{max(cost.peak for cost in theirs):.0f} MiB" + ("" if program == "claimctl" else f", {ratio:.1f} times"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--server", action="append", choices=SERVERS)
    parser.add_argument("--work", action="append", choices=WORK)
    arguments = parser.parse_args()
    MADE.mkdir(parents=True, exist_ok=True)
    row("SERVER, WORK, PROGRAM", "SECONDS", "", "MEMORY AT MOST, OURS FASTER")
    for server in arguments.server or SERVERS:
        with SERVERS[server]() as endpoint:
            for name in arguments.work or WORK:
                measure(server, endpoint, name, arguments.runs)


if __name__ == "__main__":
    main()
