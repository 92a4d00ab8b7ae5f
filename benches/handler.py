#!/usr/bin/env python3
"""Cold start, and time per batch of ten, of claim-recorder and of an equivalent Python handler, in the same sandbox.

    cargo build --profile dist && python3 benches/handler.py [--before ZIP]

ZIP is claim-recorder as it was, made by `claimctl package build` at another commit: measured in turn with the others.
"""

import argparse
import base64
import io
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

from pairs import ROOT, claimctl, environment, row

BATCH = 10
COLD_RUNS = 15
WARM_RUNS = 30
# A cold start loads every byte.
LARGEST_ZIP = 4_000_000

PYTHON_HANDLER = '''
import json, os, urllib.parse
import botocore.session
client = botocore.session.get_session().create_client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                                                      region_name=os.environ["AWS_REGION"])

def handler(event, context):
    for message in event["Records"]:
        for record in json.loads(message["body"]).get("Records", []):
            bucket, thing = record["s3"]["bucket"]["name"], record["s3"]["object"]
            key = urllib.parse.unquote_plus(thing["key"])
            try:
                client.put_item(
                    TableName=os.environ["TABLE_NAME"],
                    Item={"claim_id": {"S": f"{bucket}/{key}"}, "bucket": {"S": bucket}, "object_key": {"S": key},
                          "size": {"N": str(thing["size"])}, "etag": {"S": thing["eTag"]},
                          "sequencer": {"S": thing["sequencer"]}, "status": {"S": "recorded"}},
                    ConditionExpression="attribute_not_exists(claim_id) OR sequencer < :s",
                    ExpressionAttributeValues={":s": {"S": thing["sequencer"]}})
            except client.exceptions.ConditionalCheckFailedException:
                pass
    return {"batchItemFailures": []}
'''


def call(endpoint, method, path, body):
    # The sandbox reads the account and the region from the signature's scope, and does not check the signature.
    scope = "000000000000/20260101/us-east-1/lambda/aws4_request"
    request = urllib.request.Request(endpoint + path, json.dumps(body).encode(), method=method, headers={
        "Content-Type": "application/json",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def create(endpoint, name, runtime, handler, package, table):
    call(endpoint, "POST", "/2015-03-31/functions", {
        "FunctionName": name, "Runtime": runtime, "Handler": handler, "Timeout": 30, "MemorySize": 256,
        "Role": "arn:aws:iam::000000000000:role/bench", "Code": {"ZipFile": base64.b64encode(package).decode()},
        "Environment": {"Variables": {"TABLE_NAME": table}}})


def event(run, size=BATCH):
    def record(number):
        return {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "bench"},
                       "object": {"key": f"{run}/{number}", "size": 1024, "eTag": "0" * 32, "sequencer": "00AB"}}}
    # S3's own test event holds no claim: nothing is to be recorded.
    bodies = [{"Records": [record(number)]} for number in range(size)] or [{"Event": "s3:TestEvent", "Bucket": "bench"}]
    return {"Records": [{"messageId": f"{run}-{number}", "eventSource": "aws:sqs", "receiptHandle": "r",
                         "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {},
                         "body": json.dumps(body)} for number, body in enumerate(bodies)]}


def invoke(endpoint, name, run, size=BATCH):
    started = time.perf_counter()
    answer = call(endpoint, "POST", f"/2015-03-31/functions/{name}/invocations", event(run, size))
    elapsed = (time.perf_counter() - started) * 1000
    if answer != {"batchItemFailures": []}:
        raise SystemExit(f"{name} did not record the batch: {answer}")
    return elapsed


def zipped(name, content, mode):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
    return buffer.getvalue()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--before", type=Path, metavar="ZIP")
    before = arguments.parse_args().before
    with tempfile.TemporaryDirectory() as state:
        env = environment(XDG_STATE_HOME=state)

        def run(*arguments):
            done = subprocess.run([claimctl(), *arguments], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
            return json.loads(done.stdout) if done.stdout else None

        built = run("package", "build", "claim-recorder", "--output", "json")["artifacts"][0]
        run("local", "up", "--artifact", built["path"], "--output", "json")
        try:
            status = run("local", "status", "--output", "json")
            table = status["stacks"]["claim-check"]["tables"]["claims"]["name"]
            measure(status["endpoint"], table, Path(built["path"]).read_bytes(), before and before.read_bytes())
        finally:
            run("local", "down", "--yes", "--output", "json")


def measure(endpoint, table, package, before):
    kinds = {
        "rust": ("provided.al2023", "bootstrap", package),
        "python": (os.environ.get("BENCH_PYTHON_RUNTIME", "python3.11"), "index.handler",
                   zipped("index.py", PYTHON_HANDLER, 0o644)),
    }
    if before:
        kinds["before"] = ("provided.al2023", "bootstrap", before)
    cold = {kind: [] for kind in kinds}
    warm = {kind: [] for kind in kinds}
    empty = {kind: [] for kind in kinds}
    for number in range(COLD_RUNS):
        for kind, (runtime, handler, code) in kinds.items():
            name = f"bench-{kind}-{number}"
            create(endpoint, name, runtime, handler, code, table)
            cold[kind].append(invoke(endpoint, name, f"cold-{kind}-{number}"))
    for number in range(WARM_RUNS):
        for kind in kinds:
            empty[kind].append(invoke(endpoint, f"bench-{kind}-0", f"empty-{kind}-{number}", size=0))
            warm[kind].append(invoke(endpoint, f"bench-{kind}-0", f"warm-{kind}-{number}"))
    # A batch without a claim costs what the sandbox takes to pass an event on; the rest is the handler's own.
    own = {kind: [full - none for full, none in zip(warm[kind], empty[kind])] for kind in kinds}

    for peer in list(kinds)[1:]:
        row("WHAT", "RUST", peer.upper(), "FASTER")
        for what, times in (("cold start with a batch of ten", cold), ("a batch of ten, warm", warm)):
            ratio = statistics.median(b / a for a, b in zip(times["rust"], times[peer]))
            compare(what, times, peer, ratio)
        compare("  of it the handler's own", own, peer, statistics.median(own[peer]) / statistics.median(own["rust"]))
    sizes = [f"{len(content) / 1000:.0f} kB" for content in (package, before) if content]
    row("claim-recorder, zipped", *sizes)
    if len(package) > LARGEST_ZIP:
        raise SystemExit(f"claim-recorder is larger than {LARGEST_ZIP / 1000:.0f} kB")


def compare(what, times, peer, ratio):
    rust, other = (f"{statistics.median(times[kind]):.1f} ms" for kind in ("rust", peer))
    row(what, rust, other, f"{ratio:.2f} times")


if __name__ == "__main__":
    main()
