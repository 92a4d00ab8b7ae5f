"""The servers that the queue benchmarks run on, and the virtual environment of their peers.

Each is made or fetched once, below target/bench; all listen on loopback only, and end with the benchmark.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import venv

from pairs import ROOT, environment

HERE = ROOT / "benches"
MADE = ROOT / "target" / "bench"
# For the memory of the JVM; ElasticMQ's own default takes a quarter of the machine's.
JAVA = ["java", "-Xmx1g"]


def fingerprint(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def loopback_binary():
    """benches/loopback, built."""
    subprocess.run(["cargo", "build", "--quiet", "--profile", "dist", "--locked", "--package", "loopback"], cwd=ROOT,
                   check=True)
    return str(ROOT / "target" / "dist" / "loopback")


def peer_python():
    """A Python that has boto3, in the version that benches/peers.txt names."""
    place = MADE / f"peers-{fingerprint(HERE / 'peers.txt')}"
    if not (place / "done").exists():
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([place / "bin" / "pip", "install", "--quiet", "--requirement", HERE / "peers.txt"], check=True)
        (place / "done").touch()
    return str(place / "bin" / "python")


@contextlib.contextmanager
def loopback(milliseconds=0):
    """The project's own minimal SQS, whose calls take so much longer. Its endpoint."""
    server = subprocess.Popen([loopback_binary(), "serve", str(milliseconds)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.stdin.close()
        server.wait()


def far():
    """The same, each call of which takes as long as one to AWS."""
    return loopback(20)


def elasticmq_jars():
    """ElasticMQ with everything it needs, each file as it was when this was written."""
    place = MADE / f"elasticmq-{fingerprint(HERE / 'elasticmq' / 'SHA256SUMS')}"
    if not (place / "done").exists():
        subprocess.run(["mvn", "--quiet", "--batch-mode", "--file", HERE / "elasticmq" / "pom.xml",
                        "dependency:copy-dependencies", f"-DoutputDirectory={place}", "-DincludeScope=runtime"],
                       stdout=subprocess.DEVNULL, check=True)
        for line in (HERE / "elasticmq" / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split()
            if hashlib.sha256((place / name).read_bytes()).hexdigest() != digest:
                shutil.rmtree(place)
                sys.exit(f"{name} is not the file that benches/elasticmq/SHA256SUMS names")
        (place / "done").touch()
    return place


@contextlib.contextmanager
def elasticmq():
    """ElasticMQ, an SQS that people use for tests. Its endpoint; None where Java or Maven is missing."""
    if not (shutil.which("java") and shutil.which("mvn")):
        yield None
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    jars = elasticmq_jars()
    config = MADE / f"elasticmq-{port}.conf"
    config.write_text(f'''
        include classpath("application.conf")
        node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
        rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
        rest-stats {{ enabled = false }}
        aws {{ region = us-east-1, accountId = 000000000000 }}
    ''')
    names = [line.split()[1] for line in (HERE / "elasticmq" / "SHA256SUMS").read_text().splitlines()]
    classpath = os.pathsep.join(str(jars / name) for name in names)
    server = subprocess.Popen([*JAVA, f"-Dconfig.file={config}", "-cp", classpath, "org.elasticmq.server.Main"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_open(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
        config.unlink()


def wait_until_open(port, server, patience=60):
    deadline = time.monotonic() + patience
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"the server on port {port} did not start")


def ceil(mode, endpoint, queue, messages, connections, *target):
    """The tightest load on a queue, which is made where it is not there yet. Messages per second."""
    command = [loopback_binary(), "ceil", mode, endpoint, queue, str(messages), str(connections), *target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["per_second"]


def signed(**more):
    """An environment in which calls are signed, for servers that take any signature."""
    return environment(AWS_ACCESS_KEY_ID="000000000000", AWS_SECRET_ACCESS_KEY="loopback",
                       AWS_DEFAULT_REGION="us-east-1", **more)
