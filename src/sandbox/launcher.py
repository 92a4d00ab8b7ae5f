"""Starts MiniStack for claimctl, on loopback, and tells claimctl where.

Everything that MiniStack needs to be told, and every gap of it that is closed, is in this file.

It runs as `python -I launcher.py FOLDER PORT` (port 0: any), as the leader of a process group. In FOLDER it holds a lock
on `server.lock` for as long as it lives, which is how claimctl knows that the server is up and which process it is. Once
the port is open it writes `server.json`. It ends on SIGTERM, and by itself when FOLDER is gone; whatever the functions
still do ends with it, and the database.
"""

import asyncio
import contextlib
import contextvars
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
# Exit code: another server holds the lock.
ALREADY_RUNNING = 75


def hold(path):
    """Locks `path` until this process ends, however it ends; None when another process has it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return lock


def set_environment(port, scratch):
    """What the server and the functions it starts may see: nothing of the user's, above all no way to a real account."""
    nowhere = os.path.join(scratch, "none")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(
        HOME=scratch,
        TMPDIR=scratch,
        TZ="UTC",
        AWS_ACCESS_KEY_ID=ACCOUNT,
        AWS_SECRET_ACCESS_KEY="local",
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_ENDPOINT_URL=f"http://{LOOPBACK}:{port}",
        AWS_CONFIG_FILE=nowhere,
        AWS_SHARED_CREDENTIALS_FILE=nowhere,
        AWS_EC2_METADATA_DISABLED="true",
        GATEWAY_PORT=str(port),
        BIND_HOST=LOOPBACK,
        MINISTACK_HOST="localhost",
        MINISTACK_REGION=REGION,
        MINISTACK_ACCOUNT_ID=ACCOUNT,
        STATE_DIR=nowhere,
        S3_DATA_DIR=nowhere,
        DOCKER_HOST=f"unix://{nowhere}",
        LAMBDA_EXECUTOR="local",
        # Between the tries of an asynchronous invocation: a minute at AWS, and two.
        LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2",
        # Between the tries of a state machine's task: the second that its definition says becomes a fiftieth of one.
        SFN_WAIT_SCALE="0.02",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
    )


def refuse_other_interfaces(event, arguments):
    """Some services of MiniStack open ports of their own on every interface when they are used. Not here."""
    if event == "socket.bind" and isinstance(arguments[1], tuple) and arguments[1][0] not in (LOOPBACK, "::1"):
        raise PermissionError(f"the sandbox listens on loopback only, not on {arguments[1]}")


def let_body_filters_descend_into_arrays(sns):
    """SNS: a filter policy on the message body matches an array when any of its elements matches.

    Amazon SNS Developer Guide, "Amazon SNS payload-based message filtering". The S3 notification, all of whose content
    is below the array `Records`, could not be filtered otherwise.
    """
    look_into_object, match_one = sns._body_lookup, sns._policy_matches

    def objects_in(value):
        if isinstance(value, dict):
            return [look_into(value)]
        if isinstance(value, list):
            return [found for element in value for found in objects_in(element)]
        return []

    def look_into(body):
        lookup = look_into_object(body)
        lookup.child = lambda key: objects_in(body.get(key))
        return lookup

    def match(policy, lookup, nested=False):
        candidates = lookup if isinstance(lookup, list) else [lookup]
        return any(match_one(policy, candidate, nested) for candidate in candidates)

    sns._body_lookup, sns._policy_matches = look_into, match


def keep_what_cannot_be_delivered(sns):
    """SNS: what a subscribed queue does not take goes to the queue that the subscription's redrive policy names.

    Amazon SNS Developer Guide, "Amazon SNS dead-letter queues". A queue that is gone, whose policy denies it, or that
    takes no message so long is a client-side error: SNS does not try again.
    """
    deliver, sqs = sns._deliver_to_sqs, sns._sqs

    def takes(endpoint, topic, body):
        queue = sqs._queue_by_arn(endpoint)
        if not queue or len(body.encode()) > int(queue["attributes"].get("MaximumMessageSize", "1048576")):
            return False
        return sqs.queue_policy_allows(endpoint, "sns.amazonaws.com", topic, topic.split(":")[4])

    def kept_in(endpoint, topic):
        for subscription in (sns._topic_by_arn_any_scope(topic) or {}).get("subscriptions", []):
            if subscription.get("endpoint") == endpoint:
                policy = subscription.get("attributes", {}).get("RedrivePolicy") or "{}"
                return (json.loads(policy) if isinstance(policy, str) else policy).get("deadLetterTargetArn")

    def deliver_or_keep(endpoint, envelope, raw, message, *more, topic_arn="", **others):
        if topic_arn and not takes(endpoint, topic_arn, message if raw else envelope):
            endpoint = kept_in(endpoint, topic_arn) or endpoint
        deliver(endpoint, envelope, raw, message, *more, topic_arn=topic_arn, **others)

    sns._deliver_to_sqs = deliver_or_keep


class Output:
    """What a function of a custom runtime writes: the pipe, and the lines that were taken out of it."""

    def __init__(self, stream, lines):
        self.stream, self.lines, self.begun = stream, lines, b""
        self.poll, self.lock = self.poller(), threading.Lock()

    def poller(self):
        """No two threads may wait by one."""
        poller = select.poll()
        poller.register(self.stream, select.POLLIN)
        return poller

    def take(self):
        """Takes what is in the pipe; with the lock held, because a read of an empty pipe would wait. False at its end."""
        while not self.stream.closed and self.poll.poll(0):
            data = os.read(self.stream.fileno(), 65536)
            *whole, self.begun = (self.begun + data).split(b"\n") if data else (self.begun, b"")
            for line in whole:
                if self.lines.full():
                    self.lines.get_nowait()
                if data or line:
                    self.lines.put_nowait(line.decode(errors="replace").rstrip("\r"))
            if not data:
                return False
        return not self.stream.closed


def log_all_that_a_function_wrote(runtime):
    """Lambda: what a function wrote before it answered is in its log.

    MiniStack waits for a first line for 50 ms. On a busy machine a line that comes later would be in the log with the
    next invocation, or never. What was written before the answer is in the pipe by then, and nobody has to wait.
    """
    worker_of_custom_runtimes, making = runtime.ProvidedWorker, threading.Lock()

    def output_of(worker, stream, lines):
        with making:
            output = worker.__dict__.get("output")
            if output is None or output.stream is not stream:
                output = worker.output = Output(stream, lines)
            return output

    def pump(worker, stream, lines):
        output, goes_on = output_of(worker, stream, lines), True
        poller = output.poller()
        while goes_on:
            poller.poll()
            with output.lock:
                goes_on = output.take()
        with output.lock:
            stream.close()

    def drain(worker, *_, **waits):
        if worker._proc is not None:
            output = output_of(worker, worker._proc.stdout, worker._stderr_queue)
            with output.lock:
                output.take()
        return worker._drain_stderr()

    worker_of_custom_runtimes._pump_output, worker_of_custom_runtimes._drain_stderr_bounded = pump, drain


def let_aliases_have_invoke_configurations(lambda_svc):
    """Lambda: what an alias says of asynchronous invocations counts for those of the alias, and no other's.

    AWS Lambda API Reference, PutFunctionEventInvokeConfig: its parameter Qualifier is a version or an alias.
    """
    effective, invoke = lambda_svc._effective_func_record_for_qualifier, lambda_svc.invoke_async_with_retry

    def of(function, qualifier):
        own = (function.get("event_invoke_configs") or {}).get(qualifier)
        return {"event_invoke_config": own, "event_invoke_configs": {}}

    # How events of services find the function.
    def resolve(function, qualifier):
        record, config = effective(function, qualifier)
        if record is None or qualifier in (None, "$LATEST"):
            return record, config
        return {**record, **of(function, qualifier)}, config

    # How Invoke does: the record's ARN has the qualifier.
    def invoke_later(function, event):
        name, _, qualifier = function["config"]["FunctionArn"].partition(":function:")[2].partition(":")
        if qualifier and qualifier != "$LATEST":
            function = {**function, **of(lambda_svc._functions[name], qualifier)}
        invoke(function, event)

    lambda_svc._effective_func_record_for_qualifier = resolve
    lambda_svc.invoke_async_with_retry = invoke_later


def give_functions_the_request_id_that_callers_are_told(server, lambda_svc):
    """Lambda: the answer to an Invoke has the id of the request that the function's context and log lines have.

    AWS Lambda API Reference, Invoke; AWS Lambda Developer Guide, "Using the Lambda context object".
    """
    told = contextvars.ContextVar("the request id in the answer", default=None)
    answer, invoke, dispatch = server._dispatch_service_request, lambda_svc._invoke, lambda_svc._execute_function_dispatch
    called_by = contextvars.ContextVar("the request id of an Invoke", default=None)

    async def answer_by_id(method, path, headers, body, query_params, request_id):
        told.set(request_id)
        return await answer(method, path, headers, body, query_params, request_id)

    async def invoke_by_id(*arguments, **named):
        called_by.set(told.get())
        return await invoke(*arguments, **named)

    def dispatch_by_id(function, config, event, request_id, started):
        return dispatch(function, config, event, called_by.get() or request_id, started)

    server._dispatch_service_request = answer_by_id
    lambda_svc._invoke, lambda_svc._execute_function_dispatch = invoke_by_id, dispatch_by_id


def let_rules_write_to_log_groups(eventbridge, logs):
    """EventBridge: a rule's target can be a log group, which gets each event as a line of JSON.

    Amazon EventBridge User Guide, "Amazon EventBridge targets": a CloudWatch Logs group is one.
    """
    invoke = eventbridge._invoke_target

    def write(target, event, rule, view):
        group, stream = log_group_of(target["Arn"]), rule["Name"]
        line = json.dumps((view or eventbridge._pattern_event_view(event)).event_with_detail())
        logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
        written = [{"timestamp": int(time.time() * 1000), "message": line}]
        logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": written})

    def invoke_or_write(target, event, rule, view=None):
        (write if log_group_of(target.get("Arn", "")) else invoke)(target, event, rule, view)

    eventbridge._invoke_target = invoke_or_write


def log_group_of(arn):
    """The name of the log group that an ARN is of, or None. Some say it with `:*` behind it."""
    found = re.fullmatch(r"arn:[^:]*:logs:[^:]*:[^:]*:log-group:([^:]+)(:\*)?", arn)
    return found and found[1]


def try_functions_of_rules_again(eventbridge, lambda_svc):
    """EventBridge: a rule invokes a function asynchronously. Lambda tries it again, and keeps the event that failed.

    AWS Lambda Developer Guide, "Invoking a Lambda function asynchronously": how errors are handled.
    """

    def dispatch(arn, payload):
        record, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if record and config:
            lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(record, config), json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch


def keep_events_that_no_target_takes(eventbridge, lambda_svc, logs, sns, sqs):
    """EventBridge: what a target does not take goes to the queue that the target's dead-letter configuration names.

    Amazon EventBridge User Guide, "Using dead-letter queues to process undelivered events in EventBridge". A target that
    is gone, or denies it, is not tried again.
    """
    invoke = eventbridge._invoke_target

    def refusal(arn, rule):
        account, group = arn.split(":")[4], log_group_of(arn)
        if arn.split(":")[2] == "lambda":
            return None if lambda_svc._get_func_record_for_ref(arn)[0] else "NO_RESOURCE"
        if group:
            return None if group in logs._log_groups else "NO_RESOURCE"
        if arn.split(":")[2] == "sns":
            if not sns._topic_by_arn_any_scope(arn):
                return "NO_RESOURCE"
            allowed = sns.topic_policy_allows(arn, "events.amazonaws.com", rule["Arn"], account)
            return None if allowed else "NO_PERMISSIONS"
        return None

    def keep(target, event, rule, view, code):
        queue = (target.get("DeadLetterConfig") or {}).get("Arn", "")
        if not sqs._queue_by_arn(queue):
            return
        if not sqs.queue_policy_allows(queue, "events.amazonaws.com", rule["Arn"], queue.split(":")[4]):
            return
        why = {"RULE_ARN": rule["Arn"], "TARGET_ARN": target["Arn"], "ERROR_CODE": code,
               "ERROR_MESSAGE": f"the target {target['Arn']} did not take the event"}
        sqs._act_send_message({
            "MessageBody": json.dumps((view or eventbridge._pattern_event_view(event)).event_with_detail()),
            "MessageAttributes": {name: {"DataType": "String", "StringValue": said} for name, said in why.items()},
        }, sqs._queue_url(queue.split(":")[5]))

    def invoke_or_keep(target, event, rule, view=None):
        code = refusal(target.get("Arn", ""), rule)
        if code:
            keep(target, event, rule, view, code)
        else:
            invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_or_keep


def bring_a_batch_of_a_stream_again(lambda_svc):
    """Lambda: records of a stream that a function names as failed are delivered again, with all that follow.

    AWS Lambda Developer Guide, "Configuring partial batch response with DynamoDB and Lambda". Here the whole batch is: the
    poller goes back to where a batch began when its function failed.
    """
    poll, execute, reading = lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function, threading.local()

    def poll_and_say_so():
        reading.now = True
        try:
            return poll()
        finally:
            reading.now = False

    def execute_all_or_nothing(function, event):
        result = execute(function, event)
        answer = result.get("body")
        if getattr(reading, "now", False) and isinstance(answer, dict) and answer.get("batchItemFailures"):
            return {**result, "error": True}
        return result

    lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function = poll_and_say_so, execute_all_or_nothing


def check_requests_as_templates_say(provisioners, apigateway):
    """CloudFormation: the request validator of a REST API's method is made, and the method has it.

    AWS CloudFormation Template Reference, AWS::ApiGateway::RequestValidator and AWS::ApiGateway::Method.
    """
    validators = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RequestValidator"]
    methods = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Method"]

    def create_validator(logical_id, props, stack_name):
        checks = {"name": props.get("Name") or logical_id}
        for name in ("ValidateRequestBody", "ValidateRequestParameters"):
            checks[name[0].lower() + name[1:]] = str(props.get(name)).lower() == "true"
        _, _, made = apigateway._create_request_validator(props["RestApiId"], checks)
        validator = json.loads(made)["id"]
        return validator, {"RequestValidatorId": validator}

    def with_validator(put):
        def put_with_validator(*arguments):
            made = put(*arguments)
            # The last dictionary is what the template says now.
            props = [argument for argument in arguments if isinstance(argument, dict)][-1]
            resource = apigateway._resources[props["RestApiId"]][props["ResourceId"]]
            resource["resourceMethods"][props["HttpMethod"]]["requestValidatorId"] = props.get("RequestValidatorId")
            return made

        return put_with_validator

    validators["create"] = create_validator
    methods["create"], methods["update"] = with_validator(methods["create"]), with_validator(methods["update"])


def give_ranges_of_versions(s3):
    """S3: a range of an object is a range of it also where a version is named.

    Amazon S3 API Reference, GetObject: its parameters Range and versionId go together.
    """
    get = s3._get_object

    def get_range(bucket, key, headers, query=None):
        status, sent, body = answer = get(bucket, key, headers, query)
        if status != 200 or not headers.get("range") or not s3._qp(query or {}, "versionId", ""):
            return answer
        found = s3._parse_range(headers["range"], len(body))
        if found is None:
            return 416, {"Content-Type": "application/xml"}, s3._xml_body(s3._range_error_xml(bucket, key))
        first, last = found
        sent = {name: value for name, value in sent.items() if not name.lower().startswith("x-amz-checksum")}
        sent.update({"Content-Range": f"bytes {first}-{last}/{len(body)}", "Content-Length": str(last - first + 1)})
        return 206, sent, body[first : last + 1]

    s3._get_object = get_range


def let_logs_be_searched_for_any_of_several_terms(logs):
    """CloudWatch Logs: a filter pattern of `?term`s matches a line that has at least one of them.

    Amazon CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log
    events, and Live Tail": match terms in log events. Case counts, and a term in quotes may hold spaces.
    """
    compile_other = logs._compile_filter_pattern

    def compile_pattern(pattern):
        if not (pattern or "").startswith("?"):
            return compile_other(pattern)
        terms = [quoted or bare for quoted, bare in re.findall(r'\?(?:"([^"]*)"|(\S+))', pattern)]
        return lambda line: any(term in line for term in terms)

    logs._compile_filter_pattern = compile_pattern


def answer_in_one_piece(h11, protocol, RawData):
    """Head and body of an answer leave in one write, as from AWS; Hypercorn writes them apart.

    Terraform hangs up now and then on an answer whose head arrives alone, asks again, and is refused the lock that it
    has just been given.
    """

    async def send_event(self, event):
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response):
            self.head = data
            return
        head, self.head = getattr(self, "head", b""), b""
        # A long body would be copied for it.
        for part in [head + data] if len(data) <= 65536 else [head, data]:
            await self.send(RawData(data=part))

    protocol._send_h11_event = send_event


def write_whole(path, text):
    """Writes a file that is there either whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def still_held(lock, path):
    """Whether `path` is the file that was locked, and not gone or another one by now."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(lock))
    except FileNotFoundError:
        return False


class Database:
    """The database beside the server, where a stack needs one. It is no child of this process, and ends with it.

    It is known by the lock that it holds on its data: also when they are gone, because the file stays open here.
    """

    def __init__(self, folder):
        self.path, self.file = os.path.join(folder, "database", "data", "ibdata1"), None

    def look(self):
        with contextlib.suppress(OSError):
            if self.file is None or not os.path.samestat(os.stat(self.path), os.fstat(self.file)):
                found = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                if self.file is not None:
                    os.close(self.file)
                self.file = found

    def end(self):
        self.look()
        holder = self.holder()
        if holder:
            with contextlib.suppress(OSError):
                os.kill(holder, signal.SIGKILL)

    def holder(self):
        """The process that holds the lock (fcntl(2), F_GETLK), or 0."""
        if self.file is None:
            return 0
        # The fields of struct flock, in the order of the system.
        if sys.platform == "darwin":
            asked = struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
            _, _, pid, kind, _ = struct.unpack("qqihh", fcntl.fcntl(self.file, fcntl.F_GETLK, asked))
        else:
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(self.file, fcntl.F_GETLK, asked))
        return 0 if kind == fcntl.F_UNLCK else pid


async def until_told(lock, lock_path, database):
    """Returns on SIGTERM, or when nobody can find this server any more."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    while still_held(lock, lock_path) and not told.is_set():
        database.look()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(told.wait(), 1)


def main():
    folder, wanted_port = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    lock_path, about_path = os.path.join(folder, "server.lock"), os.path.join(folder, "server.json")
    lock = hold(lock_path)
    if lock is None:
        return ALREADY_RUNNING

    # Bound before MiniStack reads the number: nobody can take the port in between.
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, wanted_port))
    listener.listen(1024)
    port = listener.getsockname()[1]

    scratch = os.path.join(folder, "scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch, mode=0o700)
    set_environment(port, scratch)
    sys.addaudithook(refuse_other_interfaces)

    import h11
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.events import RawData
    from hypercorn.protocol.h11 import H11Protocol
    from importlib.metadata import version

    from ministack import app as server
    from ministack.core import lambda_runtime
    from ministack.services import apigateway_v1, cloudwatch_logs, eventbridge, lambda_svc, s3, sns, sqs
    from ministack.services.cloudformation import provisioners

    let_body_filters_descend_into_arrays(sns)
    keep_what_cannot_be_delivered(sns)
    log_all_that_a_function_wrote(lambda_runtime)
    let_aliases_have_invoke_configurations(lambda_svc)
    give_functions_the_request_id_that_callers_are_told(server, lambda_svc)
    let_rules_write_to_log_groups(eventbridge, cloudwatch_logs)
    try_functions_of_rules_again(eventbridge, lambda_svc)
    keep_events_that_no_target_takes(eventbridge, lambda_svc, cloudwatch_logs, sns, sqs)
    bring_a_batch_of_a_stream_again(lambda_svc)
    check_requests_as_templates_say(provisioners, apigateway_v1)
    give_ranges_of_versions(s3)
    let_logs_be_searched_for_any_of_several_terms(cloudwatch_logs)
    answer_in_one_piece(h11, H11Protocol, RawData)
    write_whole(about_path, json.dumps({
        "pid": os.getpid(),
        "port": port,
        "endpoint": f"http://{LOOPBACK}:{port}",
        "version": version("ministack"),
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }))

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2

    async def live():
        database = Database(folder)
        await serve(server.app, config, shutdown_trigger=lambda: until_told(lock, lock_path, database))
        database.end()
        if still_held(lock, lock_path):
            shutil.rmtree(scratch, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.remove(about_path)
        # Functions are in the group that this process leads. The threads that wait for them would delay the end.
        os.killpg(os.getpid(), signal.SIGKILL)

    asyncio.run(live())


if __name__ == "__main__":
    sys.exit(main())
