#!/usr/bin/env python3
"""Payments through the sandbox: from POST to settled, and how many a second.

    cargo build --profile dist && python3 benches/payments.py [--payments 500] [--at-once 8]

Runs in a sandbox of its own below target/bench, and takes it away. The sandbox runs every function and the state machine on
this machine: the figures say how the parts work together, and nothing of AWS.
"""

import argparse
import datetime
import hashlib
import hmac
import http.client
import json
import shutil
import statistics
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from pairs import ROOT, claimctl, environment, row
from servers import MADE

ACCOUNT, REGION, SERVICE = "000000000000", "us-east-1", "execute-api"
CURRENCIES = {"EUR": "10.00", "USD": "12.50", "JPY": "1500", "KWD": "3.125"}
PATIENCE = 120


def signature(method, url, headers, body):
    """AWS Signature Version 4 (AWS IAM User Guide, "Create a signed AWS API request")."""
    now = datetime.datetime.now(datetime.timezone.utc)
    at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {**headers, "Host": url.netloc, "X-Amz-Date": at}
    lower = {name.lower(): value for name, value in headers.items()}
    signed = ";".join(sorted(lower))
    canonical = "\n".join([method, urllib.parse.quote(url.path), url.query,
                           *(f"{name}:{lower[name]}" for name in sorted(lower)), "", signed,
                           hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{REGION}/{SERVICE}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4local"
    for part in (day, REGION, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/{scope}, SignedHeaders={signed}, "
                                f"Signature={hmac.new(key, text.encode(), 'sha256').hexdigest()}")
    return headers


def call(base, method, path, body=None, **headers):
    url = urllib.parse.urlsplit(base + path)
    data = json.dumps(body).encode() if body else b""
    if body:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    try:
        connection.request(method, url.path, body=data, headers=signature(method, url, headers, data))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
    return json.loads(content)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def measure(base, number, at_once):
    def post(index):
        currency, amount = list(CURRENCIES.items())[index % len(CURRENCIES)]
        begun = time.time()
        payment = call(base, "POST", "/payments", {"customer_id": f"c{index % 10}", "amount": amount, "currency": currency},
                       **{"Idempotency-Key": f"bench-{number}-{at_once}-{index}"})
        return payment["payment_id"], begun, time.time() - begun

    begun = time.time()
    with ThreadPoolExecutor(at_once) as pool:
        posted = list(pool.map(post, range(number)))
    answered = time.time() - begun
    took, ends = [], []
    deadline = time.monotonic() + PATIENCE
    for payment_id, sent, _ in posted:
        while (payment := call(base, "GET", f"/payments/{payment_id}"))["status"] == "pending":
            if time.monotonic() > deadline:
                raise SystemExit(f"{payment_id} is not settled after {PATIENCE} s")
            time.sleep(0.05)
        if payment["status"] != "settled":
            raise SystemExit(f"{payment_id} is {payment['status']}: {payment.get('reason')}")
        ends.append(seconds(payment["settled_at"]))
        took.append(ends[-1] - sent)
    requests = [request for _, _, request in posted]
    row(f"{number} payments, {at_once} at once", f"{number / (max(ends) - begun):.0f}/s settled",
        f"{number / answered:.0f}/s answered")
    for name, values in (("  from POST to the answer", requests), ("  from POST to settled", took)):
        cuts = statistics.quantiles(values, n=20)
        row(name, f"p50 {statistics.median(values):.3f} s", f"p95 {cuts[18]:.3f} s", f"max {max(values):.3f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=8)
    arguments = parser.parse_args()
    home = MADE / "payments-home"
    shutil.rmtree(home, ignore_errors=True)
    env = environment(CLAIMCTL_HOME=str(home))

    def run(*words):
        done = subprocess.run([claimctl(), *words, "--output", "json", "--quiet"], cwd=ROOT, env=env, check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    try:
        base = run("local", "up", "payments")["stacks"]["payments"]["apis"]["payments"]["url"]
        measure(base, min(50, arguments.payments), 1)
        measure(base, arguments.payments, arguments.at_once)
    finally:
        subprocess.run([claimctl(), "local", "down", "--yes", "--quiet"], env=env, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
