"""What a worker without a database counts, told to Prometheus and to CloudWatch: by the names that `serve` has, and
the same numbers."""
import json
import re
import threading
import time
import unittest
import urllib.error
import urllib.request

from delivery import Serve
from faults import XML, xml
from kit import BINARY, RUN_SECONDS_MAX, Lake, subscriber_form
from runtime_api import RuntimeApi, failed, sqs_event

FEW = 6
SAMPLE = re.compile(r"^([a-z_]+)(\{[^}]*\})? (\S+)$")
COUNTED = ("pairwatch_ingest_objects_total", "pairwatch_ingest_rows_total", "pairwatch_ingest_pairs_total",
           "pairwatch_ingest_scored_total", "pairwatch_ingest_unscored_rows_total", "pairwatch_ingest_lag_seconds_count")
UNITS = {"Seconds", "Count"}


def samples(text):
    """Of OpenMetrics text, whose families are each told once and declared before."""
    assert text.endswith("# EOF\n")
    types, out = {}, {}
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types, family
            types[family] = kind
        elif not line.startswith("# HELP "):
            name, labels, value = SAMPLE.match(line).groups()
            family = re.sub("_(total|bucket|sum|count|info)$", "", name)
            assert family in types or name in types, line
            out[name + (labels or "")] = float(value)
    return out


def nonzero(values):
    return {name: value for name, value in values.items() if name.startswith(COUNTED) and value != 0}


class MetricsTest(Lake):
    def setUp(self):
        self.emulator.set(rules=[])
        self.server = Serve(self.folder, self.id().rsplit(".", 1)[1] + ".db")
        self.addCleanup(self.server.end)

    def told(self, url, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(url + "/metrics", headers=headers), timeout=10) as reply:
            self.assertEqual(reply.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
            return samples(reply.read().decode())

    def work(self, queue, metrics):
        process = self.start("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--post", self.server.url,
                             "--metrics", metrics, PAIRWATCH_TOKEN=self.server.token)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def port_of(self, process):
        lines = []
        while not (found := re.search(r'msg="metrics are told" port=(\d+)', lines[-1] if lines else "")):
            lines.append(process.stderr.readline())
            self.assertNotEqual(lines[-1], "", lines)
        threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
        return int(found.group(1))

    def test_a_worker_that_posts_tells_what_the_server_counts(self):
        queue = self.emulator.queue("told", VisibilityTimeout="60")
        for thing in self.objects[:FEW]:
            self.emulator.send(queue, subscriber_form(*thing))
        self.emulator.send(queue, subscriber_form("aws/gone.parquet", 1, "0" * 32))
        self.emulator.send(queue, "poison")
        self.emulator.set(rules=[{"operation": "S3.GET", "times": 2, "status": 503, "headers": XML, "body": xml("SlowDown", "slow")}])
        process = self.work(queue, "127.0.0.1:0")
        url = f"http://127.0.0.1:{self.port_of(process)}"
        deadline = time.monotonic() + 30
        stored = 'pairwatch_ingest_objects_total{outcome="stored"}'
        while (told := self.told(url))[stored] < FEW or told["pairwatch_worker_in_flight"] > 0:
            self.assertLess(time.monotonic(), deadline, told)
            time.sleep(0.1)
        reader = self.server.make_token("reader", "read")
        self.assertEqual(nonzero(told), nonzero(self.told(self.server.url, reader)))
        self.assertEqual(told[stored], FEW)
        self.assertEqual(told['pairwatch_ingest_objects_total{outcome="failed"}'], 1)
        self.assertEqual(told["pairwatch_worker_received_total"], FEW + 1)
        self.assertEqual(told["pairwatch_worker_poison_total"], 1)
        self.assertGreater(told["pairwatch_ingest_scored_total"], 100)
        self.assertEqual(told["pairwatch_ingest_lag_seconds_count"], FEW)
        self.assertEqual(told['pairwatch_aws_throttles_total{service="s3",code="SlowDown"}'], 2)
        self.assertEqual(told['pairwatch_aws_retries_total{service="s3",code="SlowDown"}'], 2)
        self.assertGreater(told['pairwatch_aws_calls_total{service="sqs"}'], 1)
        self.assertLess(abs(told["pairwatch_ingest_stored_timestamp_seconds"] - time.time()), 60)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url + "/other", timeout=10)
        self.assertEqual(refused.exception.code, 404)
        process.terminate()
        self.assertEqual(process.wait(RUN_SECONDS_MAX), 0)

    def lines(self, out):
        """Of the embedded metric format: what each names is there, and as the format wants it."""
        for line in filter(None, out.decode().splitlines()):
            told = json.loads(line)
            self.assertLess(abs(told["_aws"]["Timestamp"] - 1000 * time.time()), 120000)
            (directive,) = told["_aws"]["CloudWatchMetrics"]
            self.assertEqual((directive["Namespace"], directive["Dimensions"]), ("pairwatch", [["FunctionName"]]))
            self.assertLessEqual(len(directive["Metrics"]), 100)
            for metric in directive["Metrics"]:
                self.assertIn(metric["Unit"], UNITS)
                value = told[metric["Name"]]
                self.assertTrue(all(isinstance(one, (int, float)) for one in (value if isinstance(value, list) else [value])))
                self.assertTrue(not isinstance(value, list) or 1 <= len(value) <= 100)
            yield told

    def test_a_function_tells_each_batch(self):
        environment = self.environment(PAIRWATCH_SCORER="model:m.model", PAIRWATCH_POST=self.server.url, PAIRWATCH_METRICS="emf",
                                       PAIRWATCH_TOKEN=self.server.token, AWS_LAMBDA_FUNCTION_NAME="scores")
        api = RuntimeApi([BINARY, "lambda"], self.folder, environment)
        bodies = [json.dumps(subscriber_form(*thing)) for thing in self.objects[:FEW]]
        self.emulator.set(rules=[{"operation": "S3.GET", "times": 1, "status": 503, "headers": XML, "body": xml("SlowDown", "slow")}])
        gone = json.dumps(subscriber_form("aws/gone.parquet", 1, "0" * 32))
        self.assertEqual(len(failed(api.invoke(sqs_event(*bodies, gone, "poison")))), 2)
        self.assertEqual(failed(api.invoke(sqs_event(bodies[0]))), [])  # stored before, tells the rest
        self.assertEqual(api.end(), 0)
        told = list(self.lines(api.out[0]))
        self.assertTrue(all(line["FunctionName"] == "scores" for line in told))
        counted = self.told(self.server.url, self.server.make_token("reader", "read"))
        for name, family in (("Rows", "rows"), ("Pairs", "pairs"), ("Scored", "scored")):
            self.assertEqual(sum(line[name] for line in told), counted[f"pairwatch_ingest_{family}_total"], name)
        unscored = {name: value for name, value in counted.items() if name.startswith("pairwatch_ingest_unscored")}
        self.assertEqual(sum(line["Unscored"] for line in told), sum(unscored.values()))
        for name, value in unscored.items():
            reason = re.search('"(.*)"', name).group(1)
            self.assertEqual(sum(line.get(f"unscored_{reason}", 0) for line in told), value)
        self.assertEqual([sum(line[name] for line in told) for name in ("Received", "ObjectsStored", "ObjectsFailed")],
                         [FEW + 2, FEW, 1])
        self.assertEqual(sum(line["AwsThrottles"] for line in told), 1)
        self.assertEqual(sum(line["Poison"] for line in told), 1)
        self.assertEqual(sum(line.get("aws_retries_s3_SlowDown", 0) for line in told), 1)
        self.assertEqual(sum(len(line.get("LagSeconds", [])) for line in told), FEW)

    def test_what_the_command_line_cannot_mean(self):
        queue = self.emulator.queue("refused")
        flags = ("work", "--queue", f"sqs:{queue}", "--scorer", "model:m.model", "--database", "sqlite:x.db", "--once")
        for address in ("9464", "nowhere:9464", "127.0.0.1:99999"):
            _, err = self.run_program(*flags, "--metrics", address, status=1)
            self.assertIn("--metrics", err)
        environment = self.environment(PAIRWATCH_SCORER="model:m.model", PAIRWATCH_POST=self.server.url,
                                       PAIRWATCH_TOKEN=self.server.token, PAIRWATCH_METRICS="127.0.0.1:0")
        api = RuntimeApi([BINARY, "lambda"], self.folder, environment)
        self.assertEqual(api.process.wait(20), 2)
        api.end()
        self.assertIn("a function's metrics are emf", api.init_error["errorMessage"])


if __name__ == "__main__":
    unittest.main()
