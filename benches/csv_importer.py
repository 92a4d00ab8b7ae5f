#!/usr/bin/env python3
"""Rows per second, CPU and memory of csv-importer; of LOAD DATA LOCAL INFILE; and of two Python handlers: one that does
it well (csv, and executemany in batches), and one that commits after every statement.

    cargo build --profile dist && python3 benches/csv_importer.py [--rows 100000] [--sizes 1,10,100,1000]

All write the same rows into the same table of one MariaDB, which this program starts and ends: `mariadbd` of the PATH, or
CLAIMCTL_MARIADBD. Handlers run as Lambda would run them; S3 and Secrets Manager are a server on loopback that has one
file and one secret. `--sizes` (MB) measures memory only, and only of csv-importer.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from csv_loader import invoke, served, unpacked
from pairs import ROOT
from servers import peer_python

MIGRATIONS = ROOT / "crates" / "handlers" / "src" / "csv_importer" / "migrations"
PASSWORD = "bench"
COLUMNS = "id,name,email,country,orders,credit_limit,note,since"
KEYS = "`import_file`,`load`,`row`"

# The usual way, done well: a thousand rows to a statement, one transaction; and the quick one.
PYTHON_HANDLER = '''
import codecs, csv, json, os, sys, urllib.request
import boto3, pymysql
endpoint, runtime, way = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_LAMBDA_RUNTIME_API"], sys.argv[1]
secret = json.loads(boto3.client("secretsmanager", endpoint_url=endpoint).get_secret_value(
    SecretId=os.environ["DATABASE_SECRET_ARN"])["SecretString"])
database = pymysql.connect(host="127.0.0.1", port=int(os.environ["DATABASE_PORT"]), user=secret["username"],
                           password=secret["password"], database="claims", autocommit=way == "each")
s3 = boto3.client("s3", endpoint_url=endpoint)
COLUMNS = "id,name,email,country,orders,credit_limit,note,since".split(",")
INSERT = ("INSERT INTO customer (`import_file`,`load`,`row`," + ",".join(COLUMNS) + ") VALUES ("
          + ",".join(["%s"] * (3 + len(COLUMNS))) + ")")

def handler(event):
    record = event["Records"][0]["s3"]
    body = s3.get_object(Bucket=record["bucket"]["name"], Key=record["object"]["key"])["Body"]
    cursor, batch, number = database.cursor(), [], 0
    for row in csv.DictReader(codecs.getreader("utf-8")(body)):
        number += 1
        values = ("python/" + way, 1, number, *(row[name] or None for name in COLUMNS))
        if way == "each":
            cursor.execute(INSERT, values)
            continue
        batch.append(values)
        if len(batch) == 1000:
            cursor.executemany(INSERT, batch)
            batch.clear()
    if batch:
        cursor.executemany(INSERT, batch)
    database.commit()
    return {"rows": number}

with urllib.request.urlopen(f"http://{runtime}/2018-06-01/runtime/invocation/next") as given:
    id, event = given.headers["Lambda-Runtime-Aws-Request-Id"], json.load(given)
answer = json.dumps(handler(event)).encode()
urllib.request.urlopen(f"http://{runtime}/2018-06-01/runtime/invocation/{id}/response", answer)
'''


def write(path, rows=None, size=None):
    """A file of so many rows, or of about so many bytes."""
    def text(row):
        return (f"C{row:09},Zoë O'Brien {row},customer{row}@example.com,IE,{row % 500},{row % 9000}.{row % 100:02},"
                f"\"first, and second\",2024-{row % 12 + 1:02}-{row % 28 + 1:02}\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write(COLUMNS + "\n")
        row = 0
        while (rows is not None and row < rows) or (size is not None and file.tell() < size):
            last = min(row + 10_000, rows) if rows is not None else row + 10_000
            file.writelines(text(number) for number in range(row, last))
            row = last
    return row


@contextlib.contextmanager
def mariadb(folder):
    """A server of its own, as it comes, with the tables. Its port."""
    binary = shutil.which(os.environ.get("CLAIMCTL_MARIADBD", "mariadbd"), path=os.environ["PATH"] + ":/usr/sbin")
    if binary is None:
        sys.exit("there is no mariadbd: install mariadb-server-core, or name it by CLAIMCTL_MARIADBD")
    base = Path(binary).resolve().parent.parent
    share = next(place for place in (base / "share/mysql", base / "share/mariadb") if place.exists())
    libraries = [str(place) for place in base.parent.glob("*/lib/x86_64-linux-gnu")]
    env = {**os.environ, **({"LD_LIBRARY_PATH": ":".join(libraries)} if base != Path("/usr") else {})}
    data = folder / "data"
    data.mkdir()
    common = [binary, "--no-defaults", f"--basedir={base}", f"--datadir={data}", f"--lc-messages-dir={share}"]
    common += ["--user=root"] if os.getuid() == 0 else []
    steps = ["CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"]
    for name in ("mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data", "fill_help_tables"):
        steps.append((share / f"{name}.sql").read_text())
    steps.append(f"FLUSH PRIVILEGES;\nALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';\nCREATE DATABASE claims;\n"
                 "USE claims;\n")
    for path in sorted(MIGRATIONS.glob("*.sql")):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("--")]
        steps.append(" ".join(lines) + ";\n")
    subprocess.run([*common, "--bootstrap"], input="".join(steps), text=True, env=env, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # On a machine with another server's socket in the usual place, too.
    server = subprocess.Popen([*common, "--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder}/s.sock",
                               f"--pid-file={folder}/pid", "--local-infile=1"], env=env,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--each-rows", type=int, default=5_000, help="rows for the handler that commits each")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--sizes", default="1,10,100,1000", help="MB of the files whose memory is measured")
    arguments.add_argument("--artifact", type=Path, help="csv-importer's zip, where it is built already")
    arguments.add_argument("--program", type=Path, help="csv-importer itself")
    arguments.add_argument("--python", help="a Python that has boto3 and PyMySQL, where it is not to be made")
    args = arguments.parse_args()
    args.python = args.python or peer_python()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        program = str(args.program) if args.program else unpacked("csv-importer", args.artifact, folder)
        (folder / "handler.py").write_text(PYTHON_HANDLER)
        python = [args.python, str(folder / "handler.py")]
        with mariadb(folder) as port:
            measure(args, folder, [program], python, port)


def measure(args, folder, ours, python, port):
    env = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(port), "DATABASE_TLS": "off",
           "DATABASE_SECRET_ARN": "arn:bench"}
    secret = json.dumps({"username": "root", "password": PASSWORD})
    answers = {"GetSecretValue": json.dumps({"SecretString": secret}).encode()}

    def sql(*statements):
        """By the peer's own driver: what it says of the last one's rows."""
        code = ("import json, pymysql, sys, time\n"
                f"c = pymysql.connect(host='127.0.0.1', port={port}, user='root', password={PASSWORD!r}, "
                "database='claims', local_infile=True, autocommit=True).cursor()\n"
                "began = time.perf_counter()\n"
                "for s in json.load(sys.stdin): n = c.execute(s)\n"
                "print(json.dumps([time.perf_counter() - began, c.fetchall() or n]))")
        done = subprocess.run([args.python, "-c", code], input=json.dumps(statements), text=True, check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def handler(command, path, number):
        sql("TRUNCATE customer", "DELETE FROM claims")
        with served(path, 28_500 + number, answers) as endpoint:
            took = invoke(command, endpoint, env)
        return took, sql("SELECT COUNT(*) FROM customer")[1][0][0]

    def load_data(path):
        sql("TRUNCATE customer")
        seconds, _ = sql("SET @row = 0", f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE customer CHARACTER SET utf8mb4 FIELDS "
            f"TERMINATED BY ',' ENCLOSED BY '\"' IGNORE 1 LINES ({COLUMNS}) SET `import_file` = "
            "'bench/raw-data/bench.csv', `load` = 1, `row` = (@row := @row + 1)")
        return (seconds, 0, 0), sql("SELECT COUNT(*) FROM customer")[1][0][0]

    path, few = folder / "bench.csv", folder / "few.csv"
    rows, each_rows = write(path, rows=args.rows), write(few, rows=min(args.each_rows, args.rows))
    print(f"{rows} rows, {path.stat().st_size / 1e6:.1f} MB\n")
    ways = {
        "csv-importer": (rows, lambda number: handler(ours, path, number)),
        "LOAD DATA LOCAL INFILE": (rows, lambda number: load_data(path)),
        "Python, in batches": (rows, lambda number: handler([*python, "batches"], path, number)),
        "Python, a commit for each row": (each_rows, lambda number: handler([*python, "each"], few, number)),
    }
    best, number = {}, 0
    for _ in range(args.runs):
        for name, (wanted, way) in ways.items():
            number += 1
            took, got = way(number)
            if got != wanted:
                raise SystemExit(f"{name} wrote {got} of {wanted} rows")
            best[name] = min(best.get(name, took), took)
    print("| | rows per second | CPU seconds | peak memory, MiB | csv-importer is so many times as fast |")
    print("| --- | ---: | ---: | ---: | ---: |")
    speed = {name: ways[name][0] / seconds for name, (seconds, _, _) in best.items()}
    for name, (seconds, cpu, peak) in best.items():
        more = f"{cpu:.2f} | {peak:.0f}" if peak else " | "
        print(f"| {name} | {speed[name]:,.0f} | {more} | {speed['csv-importer'] / speed[name]:.2f} |")
    print("\n| file | peak memory of csv-importer, MiB | rows per second |\n| --- | ---: | ---: |")
    for size in [int(size) for size in args.sizes.split(",") if size]:
        number, rows = number + 1, write(path, size=size * 1_000_000)
        (seconds, _, peak), got = handler(ours, path, number)
        if got != rows:
            raise SystemExit(f"{got} of {rows} rows were written")
        print(f"| {size} MB | {peak:.0f} | {rows / seconds:,.0f} |")


if __name__ == "__main__":
    main()
