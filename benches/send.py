#!/usr/bin/env python3
"""How fast a drained file is sent to a queue, beside a boto3 script with ten threads and the server's own ceiling.

    cargo build --profile dist && python3 benches/send.py [--messages 20000] [--runs 3] [--server loopback|far|elasticmq]
"""

import hashlib
import json
import tempfile
import zlib
from pathlib import Path

from costs import Comparison, Cost
from drain import CONNECTIONS, main
from pairs import claimctl
from servers import HERE, MADE, ceil, peer_python, signed

BODY = 1024


def drained(number):
    """A line of a drained file, as docs/queues.md has it."""
    body = json.dumps({"n": number, "p": ""}, separators=(",", ":"))
    body = body[:-2] + "x" * (BODY - len(body)) + body[-2:]
    line = json.dumps({
        "v": 1, "queue_arn": "arn:aws:sqs:us-east-1:000000000000:drained", "message_id": f"m{number}", "body": body,
        "md5": hashlib.md5(body.encode()).hexdigest(), "attributes": {}, "system": {},
        "drained_at": "2026-01-01T00:00:00Z"}, separators=(",", ":"))[:-1]
    return f'{line},"crc":"{zlib.crc32(line.encode()):08x}"}}\n'


def measure(server, endpoint, messages, runs):
    comparison = Comparison(server, messages)

    def empty():
        """Takes out exactly as many as were to be sent; fails where there are fewer."""
        ceil("drain", endpoint, "sent", messages, CONNECTIONS)

    with tempfile.TemporaryDirectory(dir=MADE) as folder:
        file = Path(folder, "messages.jsonl")
        file.write_text("".join(map(drained, range(messages))))
        # The first round warms the server and is not counted.
        for number in range(runs + 1):
            env = signed(CLAIMCTL_HOME=str(Path(folder, f"home-{number}")))
            ceiling = ceil("send", endpoint, "sent", messages, CONNECTIONS)
            empty()
            mine = Cost([claimctl(), "queue", "send", "sent", file, "--yes", "--quiet", "--region", "us-east-1",
                         "--endpoint-url", endpoint], env, folder)
            empty()
            peer = Cost([peer_python(), HERE / "peer.py", "send", endpoint, "sent", str(messages), file], env, folder)
            empty()
            if number:
                comparison.add(mine, peer, ceiling)
    comparison.show()


if __name__ == "__main__":
    main(measure)
