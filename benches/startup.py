#!/usr/bin/env python3
"""How long until claimctl has said something, beside the AWS CLI and a program that does nothing.

    cargo build --profile dist && python3 benches/startup.py
"""

import os
import socket

from pairs import claimctl, compare, environment, row

with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"

row("COMMAND", "MEDIAN", "RANGE", "FASTER")
compare("claimctl --version", [claimctl(), "--version"], ["aws", "--version"])
compare("claimctl queue peek --help", [claimctl(), "queue", "peek", "--help"], ["true"])
row("binary", f"{os.path.getsize(claimctl()) / 1e6:.1f} MB")

refused = environment(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
compare("a refused connection: claimctl queue ls", [claimctl(), "queue", "ls", "--endpoint-url", nobody],
        ["aws", "sqs", "list-queues", "--endpoint-url", nobody], runs=3, env=refused)
