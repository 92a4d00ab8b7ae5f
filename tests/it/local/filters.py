"""Publishes one S3 notification to SNS and prints which filter policies on its body let it pass."""

import json
import sys

from botocore.session import Session

session = Session()
session.set_credentials("000000000000", "local")
sns, sqs = (session.create_client(name, region_name="us-east-1", endpoint_url=sys.argv[1]) for name in ("sns", "sqs"))
topic = sns.create_topic(Name="filters")["TopicArn"]


def key(prefix, **more):
    return {"Records": {"s3": {"object": {"key": [{"prefix": prefix}]}, **more}}}


policies = {
    "prefix": key("in/"),
    "other prefix": key("out/"),
    "one record has both": key("in/", bucket={"name": ["first"]}),
    "no record has both": key("in/", bucket={"name": ["second"]}),
    "flat array": {"labels": ["b"]},
}
queues = {}
for number, (name, policy) in enumerate(policies.items()):
    queues[name] = sqs.create_queue(QueueName=f"filter-{number}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queues[name], AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=attributes["QueueArn"],
        Attributes={"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy)},
    )

records = [{"s3": {"bucket": {"name": bucket}, "object": {"key": path}}} for bucket, path in
           (("first", "in/a"), ("second", "elsewhere/a"))]
sns.publish(TopicArn=topic, Message=json.dumps({"Records": records, "labels": ["a", "b"]}))
# SNS in the sandbox delivers before it answers.
passed = {name: len(sqs.receive_message(QueueUrl=url).get("Messages", [])) for name, url in queues.items()}
print(json.dumps(passed))
