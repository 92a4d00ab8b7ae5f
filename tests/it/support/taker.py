#!/usr/bin/env python3
"""A handler for tests: writes each event that it is given as a line of the file SEEN, and ends as FAILS says."""

import json
import os
import urllib.request

INVOCATION = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"

while True:
    with urllib.request.urlopen(f"{INVOCATION}/next") as invocation:
        request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(invocation)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(json.dumps(event) + "\n")
    with open(os.environ["SEEN"] + ".requests", "a") as requests:
        requests.write(request_id + "\n")
    fails = os.environ.get("FAILS")
    outcome, answer = "response", {"batchItemFailures": []}
    if fails == "record":
        answer["batchItemFailures"] = [{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]
    elif fails == "all":
        outcome, answer = "error", {"errorType": "Unwell", "errorMessage": "not today"}
    body = json.dumps(answer).encode()
    urllib.request.urlopen(f"{INVOCATION}/{request_id}/{outcome}", data=body).close()
