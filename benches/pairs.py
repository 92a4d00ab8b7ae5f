"""Times commands as whole processes, in pairs: A B A B …, so that a machine that slows down slows both.

Quote the medians of the ratios; single absolute times say more about the machine than about the program.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLAIMCTL = Path(os.environ.get("BENCH_CLAIMCTL", ROOT / "target" / "dist" / "claimctl")).resolve()


def claimctl():
    """What is shipped, or BENCH_CLAIMCTL; asks for it where it has not been built."""
    if not CLAIMCTL.exists():
        sys.exit("build it first: cargo build --profile dist")
    return str(CLAIMCTL)


def environment(**more):
    """The environment without anybody's AWS configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLAIMCTL_"))}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **more}


def milliseconds(command, env=None):
    """Wall time of one run; what it prints is thrown away."""
    started = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=env or environment(), check=False)
    return (time.perf_counter() - started) * 1000


def compare(name, ours, theirs=None, runs=15, env=None):
    """Runs both in turn after one warm-up each, and prints medians and the ratio of each pair."""
    peer = theirs if theirs and shutil.which(theirs[0]) else None
    for command in filter(None, (ours, peer)):
        milliseconds(command, env)
    pairs = [(milliseconds(ours, env), milliseconds(peer, env) if peer else None) for _ in range(runs)]
    mine = sorted(pair[0] for pair in pairs)
    row(name, f"{statistics.median(mine):.1f} ms", f"{mine[0]:.1f} to {mine[-1]:.1f}")
    if peer:
        other = sorted(pair[1] for pair in pairs)
        ratio = statistics.median(b / a for a, b in pairs)
        row(f"  beside: {' '.join(peer)}", f"{statistics.median(other):.1f} ms", f"{other[0]:.1f} to {other[-1]:.1f}",
            f"{ratio:.1f} times")
    elif theirs:
        row(f"  beside: {' '.join(theirs)}", "not installed")


def row(*cells):
    widths = (58, 14, 20, 12)
    print("".join(str(cell).ljust(width) for cell, width in zip(cells, widths)).rstrip(), flush=True)
