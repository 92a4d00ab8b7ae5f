#!/usr/bin/env python3
"""How fast dead letters are replayed, journaled and without a preflight, beside a boto3 script with ten threads that
receives, sends and deletes, and beside the server's own ceiling.

    cargo build --profile dist && python3 benches/replay.py [--messages 20000] [--runs 3] [--server loopback|far|elasticmq]
"""

import tempfile
from pathlib import Path

from costs import Comparison, Cost
from drain import CONNECTIONS, main
from pairs import claimctl
from servers import HERE, MADE, ceil, peer_python, signed


def measure(server, endpoint, messages, runs):
    comparison = Comparison(server, messages)

    def fill():
        ceil("send", endpoint, "drained", messages, CONNECTIONS)

    def empty():
        """Takes out exactly as many as were to arrive; fails where there are fewer."""
        ceil("drain", endpoint, "sent", messages, CONNECTIONS)

    # Makes the queue.
    ceil("send", endpoint, "sent", CONNECTIONS, CONNECTIONS)
    ceil("drain", endpoint, "sent", CONNECTIONS, CONNECTIONS)
    with tempfile.TemporaryDirectory(dir=MADE) as folder:
        # The first round warms the server and is not counted.
        for number in range(runs + 1):
            env = signed(CLAIMCTL_HOME=str(Path(folder, f"home-{number}")))
            fill()
            mine = Cost([claimctl(), "dlq", "replay", "drained", "--to", "sent", "--no-preflight", "--canary", "0",
                         "--limit", str(messages),
                         "--yes", "--quiet", "--region", "us-east-1", "--endpoint-url", endpoint], env, folder)
            empty()
            fill()
            peer = Cost([peer_python(), HERE / "peer.py", "move", endpoint, "drained", str(messages), "sent"], env,
                        folder)
            empty()
            fill()
            ceiling = ceil("move", endpoint, "drained", messages, CONNECTIONS, "sent")
            empty()
            if number:
                comparison.add(mine, peer, ceiling)
    comparison.show()


if __name__ == "__main__":
    main(measure)
