#!/usr/bin/env python3
"""Rows per second, CPU and memory of csv-loader and of an equivalent Python handler, in the same run.

    cargo build --profile dist && python3 benches/csv_loader.py [--rows 100000] [--sizes 1,10,100,1000]

Both run as Lambda would run them, against a server on loopback that does as little as it can: it has one file, takes every
batch of rows, and counts them. `--sizes` (MB) measures memory only, and only of csv-loader.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pairs import ROOT, claimctl, environment

# The usual way: the csv module, and a batch writer that sends 25 items at a time.
PYTHON_HANDLER = '''
import codecs, csv, decimal, json, os, sys, urllib.request
import boto3
endpoint, runtime = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_LAMBDA_RUNTIME_API"]
s3 = boto3.client("s3", endpoint_url=endpoint)
table = boto3.resource("dynamodb", endpoint_url=endpoint).Table(os.environ["ROWS_TABLE"])

def handler(event):
    record = event["Records"][0]["s3"]
    body = s3.get_object(Bucket=record["bucket"]["name"], Key=record["object"]["key"])["Body"]
    rows = 0
    with table.batch_writer() as batch:
        for row in csv.DictReader(codecs.getreader("utf-8")(body)):
            row["price"] = decimal.Decimal(row["price"])
            batch.put_item(Item=row)
            rows += 1
    return {"rows": rows}

with urllib.request.urlopen(f"http://{runtime}/2018-06-01/runtime/invocation/next") as given:
    id, event = given.headers["Lambda-Runtime-Aws-Request-Id"], json.load(given)
answer = json.dumps(handler(event)).encode()
urllib.request.urlopen(f"http://{runtime}/2018-06-01/runtime/invocation/{id}/response", answer)
'''


def text(first, last):
    for row in range(first, last):
        yield f"{row},Product number {row},{row % 500}.{row % 100:02},{row % 40},a description of some length\n"


def write(path, rows=None, size=None):
    """A file of so many rows, or of about so many bytes."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("id,name,price,stock,description\n")
        row = 0
        while (rows is not None and row < rows) or (size is not None and file.tell() < size):
            last = min(row + 10_000, rows) if rows is not None else row + 10_000
            file.writelines(text(row, last))
            row = last
    return row


def serve(path, port, answers={}):
    """S3 and DynamoDB for one file and any rows, in a process of its own; and what else is answered, by operation."""
    size, puts = os.path.getsize(path), re.compile(rb'"PutRequest"')
    counted = {"rows": 0}

    async def answer(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                target = re.search(rb"(?i)\r\nx-amz-target: *\S+\.(\w+)", head)
                operation = target[1].decode() if target else head.split(b" ", 1)[0].decode()
                extra, status, out = "", "200 OK", b"{}"
                if operation == "BatchWriteItem":
                    counted["rows"] += len(puts.findall(body))
                    out = b'{"UnprocessedItems":{}}'
                elif operation in answers:
                    out = answers[operation]
                elif operation == "GET" and b"/rows-written" in head.split(b"\r\n", 1)[0]:
                    out, counted["rows"] = str(counted["rows"]).encode(), 0
                elif operation == "GET":
                    asked = re.search(rb"(?i)\r\nrange: *bytes=(\d+)-(\d+)", head)
                    first, last = (int(asked[1]), min(int(asked[2]), size - 1)) if asked else (0, size - 1)
                    with open(path, "rb") as file:
                        file.seek(first)
                        out = file.read(last - first + 1)
                    extra = 'ETag: "e"\r\n'
                    if asked:
                        status, extra = "206 Partial Content", extra + f"Content-Range: bytes {first}-{last}/{size}\r\n"
                writer.write(f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(out)}\r\n\r\n".encode() + out)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def live():
        server = await asyncio.start_server(answer, "127.0.0.1", port, limit=1 << 24)
        await server.serve_forever()

    asyncio.run(live())


UPLOADED = {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
    "bucket": {"name": "bench"}, "object": {"key": "raw-data/bench.csv", "eTag": "e", "sequencer": "00AB"}}}]}


def invoke(command, endpoint, more, event=UPLOADED):
    """One invocation: seconds, CPU seconds and MiB at the most."""
    event = json.dumps(event).encode()
    done, answers, given = threading.Event(), [], []

    class Runtime(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if given:
                done.wait()
            given.append(time.perf_counter())
            self.send_response(200)
            for name, value in {"Lambda-Runtime-Aws-Request-Id": "r", "Content-Length": len(event),
                                "Lambda-Runtime-Deadline-Ms": int((time.time() + 900) * 1000),
                                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f"}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self):
            answers.append((self.path, self.rfile.read(int(self.headers["Content-Length"])), time.perf_counter()))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            done.set()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    server.daemon_threads = True
    # The function is killed while it waits for another event.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
           "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "bench",
           "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": endpoint, "ROWS_TABLE": "rows", "LOADS_TABLE": "loads",
           "COLUMNS": '{"price":"N"}', "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1",
           "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
           "AWS_LAMBDA_LOG_STREAM_NAME": "s", **more}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    done.wait()
    status = Path(f"/proc/{process.pid}/status").read_text()
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    process.kill()
    process.wait()
    server.shutdown()
    path, answer, ended = answers[0]
    if not path.endswith("/response"):
        raise SystemExit(f"{command[0]} failed: {answer.decode()}")
    peak = re.search(r"VmHWM:\s+(\d+)", status) or re.search(r"VmRSS:\s+(\d+)", status)
    return ended - given[0], cpu, int(peak[1]) / 1024


@contextlib.contextmanager
def served(path, port, answers={}):
    """The endpoint of such a server."""
    server = multiprocessing.Process(target=serve, args=(path, port, answers), daemon=True)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                written(endpoint)
                break
            except OSError:
                time.sleep(0.05)
        yield endpoint
    finally:
        server.terminate()
        server.join()


def written(endpoint):
    with urllib.request.urlopen(f"{endpoint}/rows-written") as answer:
        return int(answer.read())


def unpacked(handler, artifact, folder):
    """The program of a handler, built for Lambda or taken from its zip."""
    if artifact is None:
        built = subprocess.run([claimctl(), "package", "build", handler, "--output", "json"], cwd=ROOT,
                               env=environment(XDG_STATE_HOME=str(folder)), check=True, stdout=subprocess.PIPE)
        artifact = Path(json.loads(built.stdout)["artifacts"][0]["path"])
    zipfile.ZipFile(artifact).extract("bootstrap", folder)
    (folder / "bootstrap").chmod(0o755)
    return str(folder / "bootstrap")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--sizes", default="1,10,100,1000", help="MB of the files whose memory is measured")
    arguments.add_argument("--artifact", type=Path, help="csv-loader's zip, where it is built already")
    arguments.add_argument("--python", default=sys.executable, help="a Python that has boto3")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "handler.py").write_text(PYTHON_HANDLER)
        ours, theirs = [unpacked("csv-loader", args.artifact, folder)], [args.python, str(folder / "handler.py")]

        def measured(command, path, port):
            with served(path, port) as endpoint:
                return invoke(command, endpoint, {}), written(endpoint)

        path, port = folder / "bench.csv", 28_100
        rows = write(path, rows=args.rows)
        print(f"{rows} rows, {path.stat().st_size / 1e6:.1f} MB\n")
        print("| | rows per second | CPU seconds | peak memory, MiB |\n| --- | ---: | ---: | ---: |")
        best = {}
        for run in range(args.runs):
            for name, command in (("csv-loader", ours), ("Python", theirs)):
                port += 1
                took, got = measured(command, path, port)
                if got != rows:
                    raise SystemExit(f"{name} wrote {got} rows")
                best[name] = min(best.get(name, took), took)
        for name, (seconds, cpu, peak) in best.items():
            print(f"| {name} | {rows / seconds:,.0f} | {cpu:.2f} | {peak:.0f} |")
        print("\n| file | peak memory of csv-loader, MiB | rows per second |\n| --- | ---: | ---: |")
        for size in [int(size) for size in args.sizes.split(",") if size]:
            rows = write(path, size=size * 1_000_000)
            port += 1
            (seconds, _, peak), got = measured(ours, path, port)
            if got != rows:
                raise SystemExit(f"{got} of {rows} rows were written")
            print(f"| {size} MB | {peak:.0f} | {rows / seconds:,.0f} |")


if __name__ == "__main__":
    main()
