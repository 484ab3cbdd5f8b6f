"""A stand-in for AWS Lambda's runtime API (2018-06-01), as strict as its documentation: one invocation at a
time, each answered once, starting failures only before the first. What breaks the protocol is kept in `faults`.

Like Lambda it stops the process dead while nothing is to do."""
import hashlib
import http.server
import json
import queue
import re
import signal
import subprocess
import threading
import time
import uuid

API = "/2018-06-01/runtime"
ANSWER_SECONDS_MAX = 60


class Invocation:
    def __init__(self, event, seconds):
        self.id, self.event, self.seconds = str(uuid.uuid4()), event, seconds
        self.answered, self.kind, self.value, self.took = threading.Event(), None, None, None

    def answer(self, kind, value):
        self.kind, self.value, self.took = kind, value, time.monotonic() - self.began
        self.answered.set()


class RuntimeApi(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, command, cwd, environment):
        super().__init__(("127.0.0.1", 0), Handler)
        self.waiting, self.open, self.faults, self.init_error = queue.Queue(), None, [], None
        self.asked, self.guard, self.frozen = 0, threading.Lock(), False
        self.ending = False
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.address = "%s:%d" % self.server_address
        self.ready, self.start_seconds, self.began = threading.Event(), None, time.monotonic()
        self.process = subprocess.Popen(command, cwd=cwd, env=environment | {"AWS_LAMBDA_RUNTIME_API": self.address},
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out = [b"", b""]
        self.readers = [threading.Thread(target=self.read, args=(i, stream), daemon=True)
                        for i, stream in enumerate((self.process.stdout, self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def read(self, i, stream):
        for line in stream:
            self.out[i] += line

    @property
    def log(self):
        return self.out[1].decode()

    def fault(self, text):
        self.faults.append(text)
        return 400, {"errorType": "InvalidRequest", "errorMessage": text}

    def handle_error(self, request, client_address):
        pass  # the process ends while it asks for the next

    def freeze(self, frozen):
        if self.process.poll() is None and frozen != self.frozen and not (frozen and self.ending):
            self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)
            self.frozen = frozen

    def invoke(self, event, seconds=30):
        """The invocation, answered: .kind "response" or "error"; .value; .took seconds."""
        invocation = Invocation(event, seconds)
        invocation.began = time.monotonic()
        self.waiting.put(invocation)
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not invocation.answered.wait(0.05):
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log}"
            assert time.monotonic() < deadline, self.log
        return invocation

    def end(self, how=signal.SIGTERM, seconds=30):
        self.ending = True
        self.freeze(False)
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(seconds)
        for reader in self.readers:
            reader.join(5)
        self.shutdown()
        self.server_close()
        self.process.stdout.close()
        self.process.stderr.close()
        return status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        api = self.server
        if self.path != f"{API}/invocation/next":
            return self.reply(*api.fault(f"GET {self.path}"))
        with api.guard:
            if api.open is not None:
                return self.reply(*api.fault("the next was asked for before the last was answered"))
            api.asked += 1
            if not api.ready.is_set():
                api.start_seconds = time.monotonic() - api.began
                api.ready.set()
        while True:
            try:
                invocation = api.waiting.get(timeout=0.1)
                break
            except queue.Empty:
                if api.ending:
                    return
                api.freeze(True)
        api.freeze(False)
        api.open = invocation
        self.reply(200, invocation.event, {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:pairwatch",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"})

    def do_POST(self):
        api = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            value = json.loads(body)
        except ValueError:
            return self.reply(*api.fault(f"{self.path}: not JSON: {body[:99]}"))
        if self.path == f"{API}/init/error":
            if api.asked > 0:
                return self.reply(*api.fault("init/error after invocation/next"))
            api.init_error = self.check_error(value)
            return self.reply(202, {"status": "OK"})
        found = re.fullmatch(f"{API}/invocation/([0-9a-f-]+)/(response|error)", self.path)
        if not found:
            return self.reply(*api.fault(f"POST {self.path}"))
        with api.guard:
            invocation, api.open = api.open, None
        if invocation is None or invocation.id != found.group(1):
            return self.reply(*api.fault("an answer to no open invocation"))
        invocation.answer(found.group(2), self.check_error(value) if found.group(2) == "error" else value)
        return self.reply(202, {"status": "OK"})

    def check_error(self, value):
        if set(value) != {"errorMessage", "errorType", "stackTrace"} or not isinstance(value["stackTrace"], list) or \
                self.headers.get("Lambda-Runtime-Function-Error-Type") != value["errorType"]:
            self.server.fault(f"an error of another form: {value}")
        return value

    def reply(self, status, value, headers=None):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def sqs_event(*bodies):
    """As Lambda's poller makes it of messages; a body that is no text stays what it is, as in test events."""
    return {"Records": [{
        "messageId": f"{place:08d}-b21e-4ac1-bd88-01bbb068cb78", "receiptHandle": "handle", "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1523232000000", "SenderId": "123456789012",
                       "ApproximateFirstReceiveTimestamp": "1523232000001"},
        "messageAttributes": {}, "md5OfBody": hashlib.md5(body.encode() if isinstance(body, str) else b"").hexdigest(),
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:lake", "awsRegion": "eu-west-1",
    } for place, body in enumerate(bodies)]}


def failed(invocation):
    """The places of the messages that failed."""
    assert invocation.kind == "response", invocation.value
    return [int(item["itemIdentifier"][:8]) for item in invocation.value["batchItemFailures"]]
