#!/usr/bin/env python3
"""CPU per event and cold start of the handlers of payments and of Python handlers that do the same, in turn.

    cargo build --profile dist && python3 benches/payments_handlers.py [--python PYTHON] [FUNCTION...]

Each function runs as its own process under the runtime API of AWS Lambda, and calls a server on loopback that answers at
once; both as in `event_logger.py` and `csv_loader.py`. The Python handlers use boto3, whose client they make while they
start, as is usual, and check a request as far as the schema of its API does. An event is one request or one start, and
for the stream and the queue a batch of ten. The cold start ends with the answer to the first event.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from csv_loader import served
from event_logger import Runtime
from pairs import ROOT, claimctl, environment, row

ROUNDS = 7
EVENTS = 200
COLD_STARTS = 11
PORT = 28_300

LOOP = '''
import datetime, hashlib, http.client, json, os, re
from decimal import ROUND_HALF_EVEN, Decimal
%s

def log(message, **fields):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    print(json.dumps({"timestamp": now, "level": "INFO", "message": message, **fields}), flush=True)

def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()

def answered(status, body, **headers):
    return {"statusCode": status, "headers": {"Content-Type": "application/json", **headers},
            "body": json.dumps(body), "isBase64Encoded": False}

DECIMALS = {"JPY": 0, "KWD": 3}
AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(\\.[0-9]{1,4})?")

def money(text, currency):
    decimals = DECIMALS.get(currency, 2)
    if not AMOUNT.fullmatch(text) or Decimal(text) <= 0 or -Decimal(text).as_tuple().exponent > decimals:
        raise ValueError(text)
    return Decimal(text).quantize(Decimal(1).scaleb(-decimals))

def header(event, name):
    return next((value for key, value in event["headers"].items() if key.lower() == name), None)
%s

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    given = api.getresponse()
    event, request_id = json.loads(given.read()), given.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = json.dumps(handler(event, request_id))
    api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
    api.getresponse().read()
'''

QUOTES = '''
RATES = {pair: Decimal(rate) for pair, rate in json.loads(os.environ["RATES"]).items()}

def handler(event, request_id):
    body = json.loads(event["body"])
    if set(body) != {"source_currency", "target_currency", "amount"}:
        return answered(400, {})
    source, target = body["source_currency"], body["target_currency"]
    amount, rate = money(body["amount"], source), RATES[f"{source}/{target}"]
    converted = (amount * rate).quantize(Decimal(1).scaleb(-DECIMALS.get(target, 2)), ROUND_HALF_EVEN)
    now = datetime.datetime.now(datetime.timezone.utc)
    until = now + datetime.timedelta(seconds=300)
    quote = {"quote_id": "quo-" + digest(f"{request_id} {now}")[:32], "source_currency": source,
             "target_currency": target, "amount": str(amount), "rate": str(rate), "target_amount": str(converted)}
    item = {name: {"S": value} for name, value in quote.items()}
    item["expires_at"] = {"N": str(int(until.timestamp()))}
    aws.put_item(TableName=os.environ["QUOTES_TABLE"], Item=item,
                 ConditionExpression="attribute_not_exists(quote_id)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    log("quote made", request_id=request_id, quote_id=quote["quote_id"], status=201)
    return answered(201, {**quote, "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ")})
'''

PAYMENTS_API = '''
def handler(event, request_id):
    key, body = header(event, "idempotency-key"), json.loads(event["body"])
    if not key or set(body) - {"customer_id", "amount", "currency", "description", "quote_id"}:
        return answered(400, {})
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", body["customer_id"]) or len(body.get("description", "")) > 200:
        return answered(400, {})
    amount = str(money(body["amount"], body["currency"]))
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payment = {**body, "payment_id": "pay-" + digest(key)[:32], "amount": amount, "status": "pending",
               "created_at": now}
    asked = json.dumps([body["customer_id"], amount, body["currency"], body.get("description"), body.get("quote_id")])
    item = {name: {"S": value} for name, value in {**payment, "request_digest": digest(asked)}.items()}
    aws.put_item(TableName=os.environ["PAYMENTS_TABLE"], Item=item,
                 ConditionExpression="attribute_not_exists(payment_id)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    log("payment created", request_id=request_id, payment_id=payment["payment_id"], status=201)
    return answered(201, payment, Location="/bench/payments/" + payment["payment_id"])
'''

PAYMENT_STREAM = '''
def handler(event, request_id):
    entries = []
    for at, record in enumerate(event["Records"]):
        change = record["dynamodb"]
        payment = {name: next(iter(value.values())) for name, value in change["NewImage"].items()}
        payment.pop("request_digest", None)
        money(payment["amount"], payment["currency"])
        time = datetime.datetime.fromtimestamp(change["ApproximateCreationDateTime"], datetime.timezone.utc)
        body = {"type": "PaymentCreated", "event_id": record["eventID"], "payment": payment,
                "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        entries.append({"Id": str(at), "MessageBody": json.dumps(body), "MessageGroupId": payment["payment_id"],
                        "MessageDeduplicationId": record["eventID"]})
    answer = aws.send_message_batch(QueueUrl=os.environ["QUEUE_URL"], Entries=entries)
    failed = {failure["Id"] for failure in answer.get("Failed", [])}
    for entry in entries:
        log("message sent", request_id=request_id, payment_id=entry["MessageGroupId"],
            event_id=entry["MessageDeduplicationId"])
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][int(at)]["dynamodb"]["SequenceNumber"]}
                                  for at in failed]}
'''

PAYMENT_EVENTS = '''
def handler(event, request_id):
    entries = []
    for message in event["Records"]:
        body = json.loads(message["body"])
        money(body["payment"]["amount"], body["payment"]["currency"])
        entries.append({"EventBusName": os.environ["EVENT_BUS"], "Source": "payments", "DetailType": body["type"],
                        "Time": datetime.datetime.fromisoformat(body["time"].replace("Z", "+00:00")),
                        "Detail": json.dumps({**body["payment"], "event_id": body["event_id"]})})
    answer = aws.put_events(Entries=entries)
    failed = []
    for message, entry in zip(event["Records"], answer["Entries"]):
        if "ErrorCode" in entry:
            failed.append({"itemIdentifier": message["messageId"]})
        else:
            log("event put", request_id=request_id, payment_id=message["attributes"]["MessageGroupId"],
                message_id=message["messageId"])
    return {"batchItemFailures": failed}
'''

START_SETTLEMENT = '''
def handler(event, request_id):
    payment = event["detail"]
    try:
        aws.start_execution(stateMachineArn=os.environ["STATE_MACHINE_ARN"], name=payment["payment_id"],
                            input=json.dumps(payment))
    except aws.exceptions.ExecutionAlreadyExists:
        pass
    log("settlement started", request_id=request_id, payment_id=payment["payment_id"])
    return {"execution": payment["payment_id"]}
'''

SETTLE = '''
LIMITS = {currency: Decimal(limit) for currency, limit in json.loads(os.environ["LIMITS"]).items()}

def handler(event, request_id):
    if money(event["amount"], event["currency"]) > LIMITS.get(event["currency"], Decimal("Infinity")):
        raise ValueError("PaymentDeclined")
    log("payment settled", request_id=request_id, payment_id=event["payment_id"])
    return {"settlement_id": "set-" + digest("settlement of " + event["payment_id"])[:32]}
'''


def client(service):
    return f'import boto3\naws = boto3.client("{service}", endpoint_url=os.environ["AWS_ENDPOINT_URL"])'


def payment(number):
    return {"payment_id": f"pay-{number:032x}", "customer_id": "customer-1", "amount": "10.00", "currency": "EUR",
            "description": "a book", "status": "pending", "created_at": "2026-01-02T03:04:05.678Z"}


def request(resource, body):
    headers = {"Content-Type": "application/json", "Idempotency-Key": "order-1", "Host": "api.example.com",
               "X-Amzn-Trace-Id": "Root=1-0", "X-Forwarded-For": "203.0.113.7", "X-Amz-Date": "20260102T030405Z"}
    return {"resource": resource, "path": resource, "httpMethod": "POST", "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()}, "pathParameters": None,
            "queryStringParameters": None, "multiValueQueryStringParameters": None,
            "requestContext": {"path": f"/bench{resource}", "stage": "bench", "requestId": "r"},
            "body": json.dumps(body), "isBase64Encoded": False}


def stream():
    def record(number):
        item = {name: {"S": value} for name, value in {**payment(number), "request_digest": "0" * 64}.items()}
        return {"eventID": f"{number:032x}", "eventName": "INSERT", "eventSource": "aws:dynamodb",
                "dynamodb": {"Keys": {"payment_id": item["payment_id"]}, "NewImage": item, "SizeBytes": 400,
                             "SequenceNumber": f"{number:021}", "ApproximateCreationDateTime": 1767323045,
                             "StreamViewType": "NEW_AND_OLD_IMAGES"}}
    return {"Records": [record(number) for number in range(10)]}


def queue():
    def message(number):
        body = {"type": "PaymentCreated", "event_id": f"{number:032x}", "time": "2026-01-02T03:04:05.000Z",
                "payment": payment(number)}
        return {"messageId": f"message-{number}", "receiptHandle": "r" * 200, "body": json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": payment(number)["payment_id"]},
                "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:r:a:events.fifo"}
    return {"Records": [message(number) for number in range(10)]}


# By function: artifact, what Python imports and does, the event, how many things are in it, what the answers are compared by.
FUNCTIONS = {
    "quotes": ("quotes", client("dynamodb"), QUOTES,
               request("/quotes", {"source_currency": "EUR", "target_currency": "USD", "amount": "10"}), 1,
               lambda answer: (answer["statusCode"], {**json.loads(answer["body"]), "quote_id": 0, "expires_at": 0})),
    "payments-api": ("payments-api", client("dynamodb"), PAYMENTS_API,
                     request("/payments", {"customer_id": "customer-1", "amount": "10", "currency": "EUR",
                                           "description": "a book"}), 1,
                     lambda answer: (answer["statusCode"], answer["headers"],
                                     {**json.loads(answer["body"]), "created_at": 0})),
    "payment-stream": ("payment-stream", client("sqs"), PAYMENT_STREAM, stream(), 10, lambda answer: answer),
    "payment-events": ("payment-events", client("events"), PAYMENT_EVENTS, queue(), 10, lambda answer: answer),
    "start-settlement": ("settlement", client("stepfunctions"), START_SETTLEMENT,
                         {"version": "0", "id": "1", "detail-type": "PaymentCreated", "source": "payments",
                          "detail": {**payment(1), "event_id": "1"}}, 1, lambda answer: answer),
    "settle": ("settlement", "", SETTLE, {**payment(1), "event_id": "1"}, 1, lambda answer: answer),
}

ANSWERS = {
    "SendMessageBatch": json.dumps({"Failed": [], "Successful": [
        {"Id": str(number), "MessageId": "m", "MD5OfMessageBody": "0" * 32} for number in range(10)]}).encode(),
    "PutEvents": json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}] * 10}).encode(),
    "StartExecution": b'{"executionArn":"arn","startDate":1767323045.0}',
}


def variables(function, endpoint):
    every = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "bench",
             "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": endpoint, "QUOTES_TABLE": "quotes",
             "PAYMENTS_TABLE": "payments", "RATES": '{"EUR/USD":"1.0842"}', "QUEUE_URL": f"{endpoint}/1/events.fifo",
             "DIVERTED_QUEUE_URL": f"{endpoint}/1/diverted", "EVENT_BUS": "payments", "LIMITS": '{"EUR":"10000"}'}
    # By this one the artifact `settlement` knows which of its two functions it is.
    machine = {"STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:settlement"}
    return {**every, **(machine if function == "start-settlement" else {})}


def built(handlers, folder):
    """The program of each handler, and the size of its zip."""
    done = subprocess.run([claimctl(), "package", "build", *handlers, "--output", "json"], cwd=ROOT, env=environment(),
                          check=True, stdout=subprocess.PIPE)
    programs = {}
    for artifact in json.loads(done.stdout)["artifacts"]:
        own = folder / artifact["handler"]
        own.mkdir()
        zipfile.ZipFile(artifact["path"]).extract("bootstrap", own)
        (own / "bootstrap").chmod(0o755)
        programs[artifact["handler"]] = (str(own / "bootstrap"), Path(artifact["path"]).stat().st_size)
    return programs


def measure(function, program, python, folder, endpoint):
    _, imports, source, event, things, comparable = FUNCTIONS[function]
    path = folder / f"{function}.py"
    path.write_text(LOOP % (imports, source), encoding="utf-8")
    kinds = {"Rust": [program], "Python": [python, str(path)]}
    env, event = variables(function, endpoint), json.dumps(event).encode()

    def started(kind):
        return Runtime(kinds[kind], folder, env)

    warm = {kind: started(kind) for kind in kinds}
    answers = {kind: comparable(runtime.invoke(event)) for kind, runtime in warm.items()}
    if answers["Rust"] != answers["Python"]:
        sys.exit(f"{function} answers otherwise:\n{answers['Rust']}\n{answers['Python']}")
    for runtime in warm.values():
        for _ in range(20):
            runtime.invoke(event)
    cpu, cold = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, runtime in warm.items():
            before = runtime.cpu()
            for _ in range(EVENTS):
                runtime.invoke(event)
            cpu[kind].append((runtime.cpu() - before) / EVENTS)
    for _ in range(COLD_STARTS):
        for kind in kinds:
            runtime = started(kind)
            runtime.invoke(event)
            cold[kind].append(runtime.since_start() * 1000)
            runtime.end()
    ratio = statistics.median(theirs / ours for ours, theirs in zip(cpu["Rust"], cpu["Python"]))
    ours, theirs = (statistics.median(cpu[kind]) for kind in kinds)
    starts = [statistics.median(cold[kind]) for kind in kinds]
    memory = [runtime.memory() / 1000 for runtime in warm.values()]
    for runtime in warm.values():
        runtime.end()
    what = function if things == 1 else f"{function}, {things} in a batch"
    print(f"| {what} | {ours:.0f} µs | {theirs:.0f} µs | {ratio:.1f} times | {starts[0]:.0f} ms | {starts[1]:.0f} ms "
          f"| {memory[0]:.1f} MB | {memory[1]:.1f} MB |", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("functions", nargs="*", metavar="FUNCTION", default=[])
    arguments.add_argument("--python", default=sys.executable, help="a Python that has boto3")
    args = arguments.parse_args()
    functions = args.functions or list(FUNCTIONS)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        programs = built(sorted({FUNCTIONS[function][0] for function in functions}), folder)
        for handler, (_, size) in programs.items():
            row(f"{handler}, zipped", f"{size / 1000:.0f} kB")
        print("\n| function | CPU per event | Python | | cold start | Python | memory at most | Python |\n"
              "| --- | --- | --- | --- | --- | --- | --- | --- |")
        (folder / "empty").touch()
        with served(folder / "empty", PORT, ANSWERS) as endpoint:
            for function in functions:
                measure(function, programs[FUNCTIONS[function][0]][0], args.python, folder, endpoint)


if __name__ == "__main__":
    main()
