#!/usr/bin/env python3
"""CPU per batch, cold start and memory of event-logger and of Python and Node.js handlers that log the same, in turn.

    cargo build --profile dist && python3 benches/event_logger.py [--batch N]

Each function runs as its own process under the runtime API of AWS Lambda, which this program plays: Python and Node.js in
a loop of their standard library, which is less than the runtime interface clients that AWS ships. CPU is what the kernel
counts for all threads of the process, from one invocation to the next. A batch without a claim costs what taking an event
and answering it does; the rest is the handler's own.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pairs import ROOT, claimctl, environment, row

ROUNDS = 7
BATCHES = 400
COLD_STARTS = 15

PYTHON = '''
import datetime, http.client, json, os, sys, urllib.parse

def claims(body):
    event = json.loads(body)
    if "TopicArn" in event and "Message" in event:
        yield from claims(event["Message"])
        return
    if event.get("Event") == "s3:TestEvent":
        return
    for record in event["Records"]:
        thing = record["s3"]["object"]
        bucket, key = record["s3"]["bucket"]["name"], urllib.parse.unquote_plus(thing["key"], errors="strict")
        yield {"kind": "claim_record", "claim_id": f"{bucket}/{key}", "bucket": bucket, "object_key": key,
               "size": thing.get("size"), "etag": thing.get("eTag"), "version_id": thing.get("versionId"),
               "sequencer": thing["sequencer"].rstrip("0").upper(), "event_name": record["eventName"],
               "event_time": record["eventTime"],
               "status": "removed" if record["eventName"].startswith("ObjectRemoved:") else "recorded"}

def handler(event, request_id):
    failed = []
    for message in event["Records"]:
        try:
            for claim in claims(message["body"]):
                now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
                claim.update(recorded_at=now.replace("+00:00", "Z"), message_id=message["messageId"],
                             request_id=request_id,
                             receive_count=int(message["attributes"]["ApproximateReceiveCount"]))
                print(json.dumps({name: value for name, value in claim.items() if value is not None}), flush=True)
        except (ValueError, KeyError, TypeError):
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    given = api.getresponse()
    event, request_id = json.loads(given.read()), given.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = json.dumps(handler(event, request_id))
    api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
    api.getresponse().read()
'''

NODE = '''
const http = require("http"), fs = require("fs");
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const call = (method, path, body) => new Promise((resolve, reject) => {
  const request = http.request({ host, port, method, path, agent }, answer => {
    const parts = [];
    answer.on("data", part => parts.push(part));
    answer.on("end", () => resolve([Buffer.concat(parts).toString(), answer.headers]));
  });
  request.on("error", reject);
  request.end(body);
});
function* claims(body) {
  const event = JSON.parse(body);
  if (event.TopicArn && event.Message) { yield* claims(event.Message); return; }
  if (event.Event === "s3:TestEvent") return;
  for (const record of event.Records) {
    const thing = record.s3.object, bucket = record.s3.bucket.name;
    const key = decodeURIComponent(thing.key.replace(/\\+/g, " "));
    yield { kind: "claim_record", claim_id: `${bucket}/${key}`, bucket, object_key: key, size: thing.size,
      etag: thing.eTag, version_id: thing.versionId, sequencer: thing.sequencer.replace(/0+$/, "").toUpperCase(),
      event_name: record.eventName, event_time: record.eventTime,
      status: record.eventName.startsWith("ObjectRemoved:") ? "removed" : "recorded" };
  }
}
const handler = (event, request_id) => {
  const batchItemFailures = [];
  for (const message of event.Records) {
    try {
      for (const claim of claims(message.body)) {
        fs.writeSync(1, JSON.stringify({ ...claim, recorded_at: new Date().toISOString(), message_id: message.messageId,
          request_id, receive_count: Number(message.attributes.ApproximateReceiveCount) }) + "\\n");
      }
    } catch { batchItemFailures.push({ itemIdentifier: message.messageId }); }
  }
  return { batchItemFailures };
};
(async () => {
  for (;;) {
    const [event, headers] = await call("GET", "/2018-06-01/runtime/invocation/next");
    const id = headers["lambda-runtime-aws-request-id"];
    await call("POST", `/2018-06-01/runtime/invocation/${id}/response`, JSON.stringify(handler(JSON.parse(event), id)));
  }
})();
'''


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A function that is killed hangs up."""


class Runtime:
    """The runtime API for one function, whose process it starts."""

    def __init__(self, command, folder, env={}):
        self.asked, self.given, self.answered = threading.Event(), threading.Event(), threading.Event()
        runtime = self

        class Api(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body leave apart: without this the second one would wait for the other side's acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self):
                runtime.asked.set()
                runtime.given.wait()
                runtime.given.clear()
                self.answer(200, runtime.event, {"Lambda-Runtime-Aws-Request-Id": "request",
                                                 "Content-Type": "application/json",
                                                 "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000",
                                                 "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30000),
                                                 "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:r:a:function:f"})

            def do_POST(self):
                runtime.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                runtime.answered.set()
                self.answer(202, b"{}", {})

            def answer(self, status, body, headers):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Api)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        names = {f"AWS_LAMBDA_{name}": "bench" for name in
                 ("FUNCTION_NAME", "FUNCTION_VERSION", "LOG_GROUP_NAME", "LOG_STREAM_NAME")}
        self.log = open(Path(folder) / f"log-{id(self)}", "w+", encoding="utf-8")
        self.started = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=self.log, stdin=subprocess.DEVNULL, env={
            **environment(), **names, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}", **env})

    def invoke(self, event):
        self.event = event
        self.asked.wait()
        self.asked.clear()
        self.answered.clear()
        self.given.set()
        self.answered.wait()
        return self.answer

    def log_batch(self, event):
        answer = self.invoke(event)
        if answer != {"batchItemFailures": []}:
            sys.exit(f"the batch was not logged: {answer}")

    def since_start(self):
        """Seconds."""
        return time.perf_counter() - self.started

    def cpu(self):
        """Microseconds so far; the function waits for its next event."""
        self.asked.wait()
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1000

    def memory(self):
        """The most that was in memory, in kB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def lines(self):
        self.log.seek(0)
        return [json.loads(line) for line in self.log]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.log.close()


def batch(size):
    def message(number):
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                  "eventTime": "2026-01-02T03:04:05.678Z", "eventName": "ObjectCreated:Put",
                  "userIdentity": {"principalId": "AWS:AROAEXAMPLE:session"},
                  "requestParameters": {"sourceIPAddress": "203.0.113.7"},
                  "responseElements": {"x-amz-request-id": "0" * 16, "x-amz-id-2": "0" * 76},
                  "s3": {"s3SchemaVersion": "1.0", "configurationId": "objects",
                         "bucket": {"name": "bench", "ownerIdentity": {"principalId": "A" * 14},
                                    "arn": "arn:aws:s3:::bench"},
                         "object": {"key": f"orders/2026/order+{number:06}.json", "size": 4096, "eTag": "0" * 32,
                                    "sequencer": f"0055AED6DCD9{number:04X}A1"}}}
        return {"messageId": f"message-{number}", "receiptHandle": "r" * 200, "body": json.dumps({"Records": [record]}),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045678"},
                "messageAttributes": {}, "md5OfBody": "0" * 32, "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:created", "awsRegion": "us-east-1"}
    messages = [message(number) for number in range(size)] or [
        {**message(0), "body": json.dumps({"Event": "s3:TestEvent", "Bucket": "bench"})}]
    return json.dumps({"Records": messages}).encode()


def same(kinds, folder, event):
    """All log the same, but for the time."""
    logged = {}
    for kind, command in kinds.items():
        function = Runtime(command, folder)
        function.log_batch(event)
        function.cpu()
        logged[kind] = [{**line, "recorded_at": None} for line in function.lines()]
        function.end()
    for kind, lines in logged.items():
        if lines != logged["event-logger"]:
            sys.exit(f"{kind} logs something else:\n{lines[0]}\n{logged['event-logger'][0]}")


def measure(kinds, folder, event, size):
    warm = {kind: Runtime(command, folder) for kind, command in kinds.items()}
    cpu, cold, empty = ({kind: [] for kind in kinds} for _ in range(3))
    for function in warm.values():
        for _ in range(20):
            function.log_batch(event)
    for _ in range(ROUNDS):
        for kind, function in warm.items():
            for spent, given in ((empty, batch(0)), (cpu, event)):
                before = function.cpu()
                for _ in range(BATCHES):
                    function.log_batch(given)
                spent[kind].append((function.cpu() - before) / BATCHES)
    for _ in range(COLD_STARTS):
        for kind, command in kinds.items():
            function = Runtime(command, folder)
            function.log_batch(event)
            cold[kind].append(function.since_start() * 1000)
            function.end()
    own = {kind: [full - none for full, none in zip(cpu[kind], empty[kind])] for kind in kinds}
    row("WHAT", *kinds)
    row(f"CPU per batch of {size}", *(f"{statistics.median(cpu[kind]):.0f} us" for kind in kinds))
    row("  of it the handler's own", *(f"{statistics.median(own[kind]):.0f} us" for kind in kinds))
    row("cold start with a batch", *(f"{statistics.median(cold[kind]):.0f} ms" for kind in kinds))
    row("memory at most", *(f"{warm[kind].memory() / 1000:.1f} MB" for kind in kinds))
    for function in warm.values():
        function.end()
    for kind in list(kinds)[1:]:
        for what, spent in (("CPU", cpu), ("  of it the handler's own", own)):
            ratio = statistics.median(theirs / ours for ours, theirs in zip(spent["event-logger"], spent[kind]))
            row(f"{what}, beside {kind}", f"{ratio:.1f} times")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batch", type=int, default=10, metavar="N")
    size = arguments.parse_args().batch
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([claimctl(), "package", "build", "event-logger", "--output", "json"], cwd=ROOT,
                              env=environment(), check=True, stdout=subprocess.PIPE)
        built = json.loads(done.stdout)["artifacts"][0]
        zipfile.ZipFile(built["path"]).extractall(folder)
        bootstrap = Path(folder) / "bootstrap"
        bootstrap.chmod(0o755)
        kinds = {"event-logger": [str(bootstrap)]}
        for kind, interpreter, source, ending in (("Python", sys.executable, PYTHON, "py"),
                                                  ("Node.js", shutil.which("node"), NODE, "js")):
            if interpreter:
                path = Path(folder) / f"handler.{ending}"
                path.write_text(source, encoding="utf-8")
                kinds[kind] = [interpreter, str(path)]
            else:
                row(kind, "not installed")
        event = batch(size)
        same(kinds, folder, event)
        measure(kinds, folder, event, size)
        row("event-logger, zipped", f"{Path(built['path']).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
