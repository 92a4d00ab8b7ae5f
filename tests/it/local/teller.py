#!/usr/bin/env python3
"""A handler for tests: tells the log what it was given, and fails on the claim `poison`."""

import json
import os
import sys
import urllib.request

INVOCATION = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def tell(what, value):
    print(what, json.dumps(value), file=sys.stderr, flush=True)


tell("ENVIRONMENT", dict(os.environ))
while True:
    with urllib.request.urlopen(f"{INVOCATION}/next") as invocation:
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(invocation)
    tell("EVENT", event)
    poison = [record["messageId"] for record in event.get("Records", []) if record["body"] == "poison"]
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": message} for message in poison]})
    urllib.request.urlopen(f"{INVOCATION}/{request_id}/response", data=answer.encode()).close()
