"""The real binary as SageMaker's containers, and a small model to serve."""
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("PAIRWATCH_BINARY", ROOT / "build" / "release" / "pairwatch")).resolve()
SECONDS_MAX = 60
FOLDER = None
MODEL = None


def rows(count=2000):
    """Entity k talks to 10.k.0.0/16, odd ones to 2001:db8:k::/48 as well."""
    for i in range(count):
        entity = i * 7 % 20
        address = f"10.{entity}.{i % 4}.{i * 13 % 256}"
        if entity % 2 and i % 3 == 0:
            address = f"2001:db8:{entity}::{i % 50 + 1:x}"
        yield f"host-{entity}", address


def csv(pairs):
    return "".join(f"{entity},{address}\n" for entity, address in pairs)


def run(*arguments, input=None, environment=None, check=None):
    done = subprocess.run([str(BINARY), *map(str, arguments)], input=input, capture_output=True,
                          timeout=SECONDS_MAX, cwd=FOLDER, env={**os.environ, **(environment or {})})
    if check is not None and done.returncode != check:
        raise AssertionError(f"{arguments}: exit {done.returncode}: {done.stderr.decode()}")
    return done


def set_up():
    """A folder and a model in it, for all tests of a module."""
    global FOLDER, MODEL
    FOLDER = temp_folder("sagemaker")
    (FOLDER / "pairs.csv").write_text(csv(rows()))
    MODEL = FOLDER / "pairs.model"
    run("train", "--out", MODEL, "--detector", "ip_insights", "--epochs", 2, "--vector-dim", 12,
        "pairs.csv", check=0)


def tear_down():
    shutil.rmtree(FOLDER, ignore_errors=True)


class Container:
    """`with Container() as container`: serve --sagemaker on a free port."""

    def __init__(self, *arguments, environment=None):
        self.arguments = [str(BINARY), "serve", "--sagemaker", "--listen", "127.0.0.1:0", *map(str, arguments)]
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        self.log = open(FOLDER / "serve.err", "ab")
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=self.log, cwd=FOLDER,
                                        env=self.environment)
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if found is None:
            self.__exit__()
            raise AssertionError(f"serve did not start: {line}{(FOLDER / 'serve.err').read_text()}")
        self.port = int(found.group(1))
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        self.code = self.process.wait(timeout=SECONDS_MAX)
        self.seconds = time.monotonic() - began
        self.process.stdout.close()
        self.log.close()

    def call(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        reply.body = reply.read()
        connection.close()
        return reply

    def invoke(self, body, type="text/csv", accept=None, path="/invocations"):
        headers = {"Content-Type": type} if type else {}
        if accept is not None:
            headers["Accept"] = accept
        return self.call("POST", path, body if isinstance(body, bytes) else body.encode(), **headers)
