#!/usr/bin/env python3
"""How fast a queue is drained to a file, beside a boto3 script with ten threads and the server's own ceiling.

    cargo build --profile dist && python3 benches/drain.py [--messages 20000] [--runs 3] [--server loopback|far|elasticmq]
"""

import argparse
import json
import tempfile
from pathlib import Path

from costs import Comparison, Cost, heading
from pairs import claimctl, row
from servers import HERE, MADE, ceil, elasticmq, far, loopback, peer_python, signed

CONNECTIONS = 10
SERVERS = {"loopback": loopback, "far": far, "elasticmq": elasticmq}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="of 1 KiB each")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--server", choices=SERVERS, action="append", help="default: each")
    return parser.parse_args()


def whole(path, messages, key):
    """Nothing was lost and nothing is there twice."""
    with open(path) as file:
        ids = [json.loads(line)[key] for line in file]
    if (len(ids), len(set(ids))) != (messages, messages):
        raise SystemExit(f"{path}: {len(ids)} lines and {len(set(ids))} messages of {messages}")


def measure(server, endpoint, messages, runs):
    comparison = Comparison(server, messages)

    def fill():
        ceil("send", endpoint, "drained", messages, CONNECTIONS)

    # The first round warms the server and is not counted.
    for number in range(runs + 1):
        with tempfile.TemporaryDirectory(dir=MADE) as folder:
            env, ours, theirs = signed(CLAIMCTL_HOME=folder), Path(folder, "ours.jsonl"), Path(folder, "theirs.jsonl")
            fill()
            mine = Cost([claimctl(), "queue", "drain", "drained", "--to", ours, "--limit", str(messages), "--yes",
                         "--quiet", "--region", "us-east-1", "--endpoint-url", endpoint], env, folder)
            whole(ours, messages, "message_id")
            fill()
            peer = Cost([peer_python(), HERE / "peer.py", "drain", endpoint, "drained", str(messages), theirs], env,
                        folder)
            whole(theirs, messages, "MessageId")
        fill()
        ceiling = ceil("drain", endpoint, "drained", messages, CONNECTIONS)
        if number:
            comparison.add(mine, peer, ceiling)
    comparison.show()


def main(measure):
    arguments = parse()
    MADE.mkdir(parents=True, exist_ok=True)
    heading()
    for name in arguments.server or SERVERS:
        with SERVERS[name]() as endpoint:
            if endpoint:
                measure(name, endpoint, arguments.messages, arguments.runs)
            else:
                row(name, "not installed")


if __name__ == "__main__":
    main(measure)
