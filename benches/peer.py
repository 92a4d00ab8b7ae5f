"""What people use today: a boto3 script with ten threads. Runs in the virtual environment of servers.peer_python().

    peer.py drain ENDPOINT QUEUE MESSAGES FILE      receive, append, fsync, delete
    peer.py send ENDPOINT QUEUE MESSAGES FILE       one message for each line, in batches of ten
    peer.py move ENDPOINT QUEUE MESSAGES TARGET     receive, send, delete
    peer.py upload ENDPOINT BUCKET FOLDER           the files of a folder, by boto3's own transfer manager
"""

import itertools
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

THREADS = 10
BATCH = 10


def all_done(answer):
    if answer.get("Failed"):
        raise SystemExit(f"not done: {answer['Failed']}")


class Peer:
    def __init__(self, endpoint, queue, messages):
        config = Config(max_pool_connections=THREADS)
        self.sqs = boto3.client("sqs", endpoint_url=endpoint, config=config)
        self.url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self.left = messages
        self.lock = threading.Lock()

    def in_threads(self, work):
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(work) for _ in range(THREADS)]:
                done.result()

    def receive_all(self, keep):
        """Every message is kept, then deleted."""
        while self.left > 0:
            messages = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=BATCH, VisibilityTimeout=300,
                                                AttributeNames=["All"], MessageAttributeNames=["All"])
            messages = messages.get("Messages", [])
            if not messages:
                continue
            keep(messages)
            entries = [{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                       for index, message in enumerate(messages)]
            all_done(self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries))
            with self.lock:
                self.left -= len(messages)

    def drain(self, path):
        with open(path, "w") as file:
            def keep(messages):
                lines = "".join(json.dumps(message) + "\n" for message in messages)
                with self.lock:
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            self.in_threads(lambda: self.receive_all(keep))

    def send_to(self, url, bodies):
        entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)]
        all_done(self.sqs.send_message_batch(QueueUrl=url, Entries=entries))

    def send(self, path):
        with open(path) as file:
            def work():
                while True:
                    with self.lock:
                        lines = list(itertools.islice(file, BATCH))
                    if not lines:
                        return
                    self.send_to(self.url, [json.loads(line)["body"] for line in lines])
            self.in_threads(work)

    def move(self, target):
        url = self.sqs.get_queue_url(QueueName=target)["QueueUrl"]
        self.in_threads(lambda: self.receive_all(
            lambda messages: self.send_to(url, [message["Body"] for message in messages])))


def upload(endpoint, bucket, folder):
    """As boto3's documentation does it: the transfer manager takes the files, and has its own ten threads."""
    s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=THREADS))
    with create_transfer_manager(s3, TransferConfig()) as manager:
        sent = [manager.upload(entry.path, bucket, entry.name) for entry in os.scandir(folder)]
        for file in sent:
            file.result()


if __name__ == "__main__":
    if sys.argv[1] == "upload":
        upload(*sys.argv[2:])
    else:
        verb, endpoint, queue, messages, what = sys.argv[1:]
        getattr(Peer(endpoint, queue, int(messages)), verb)(what)
