"""SageMaker's control plane: a training job and an endpoint of our own container, from the first call to the last, every
request held against the shapes of AWS's own client."""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest
import urllib.request
from pathlib import Path

from kit import BINARY, KEY_ID, NODE, REGION, ROOT, RUN_SECONDS_MAX, SECRET, temp_folder

IMAGE = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/pairwatch-ip-insights:1"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
PLACE = "s3://models/pairwatch"
MADE = ("--image", IMAGE, "--sagemaker-role", ROLE, "--sagemaker-bucket", PLACE)


class Control(unittest.TestCase):
    @classmethod
    def make_world(cls):
        cls.folder = temp_folder("control")
        unittest.addModuleCleanup(shutil.rmtree, cls.folder)
        cls.url = None
        rows = [(f"host-{i % 20}", f"10.{i % 20}.{i % 4}.{i * 13 % 256}") for i in range(3000)]
        rows += [('a "b", c', f"10.99.0.{i}") for i in range(50)]
        quoted = ['"' + entity.replace('"', '""') + '"' for entity, _ in rows]
        (cls.folder / "pairs.csv").write_text("".join(f"{q},{ip}\n" for q, (_, ip) in zip(quoted, rows)))
        cls.run_program("train", "--detector", "ip_insights", "--vector-dim", "8", "--epochs", "2", "--out", "m.model", "pairs.csv")
        settings = {"lake": str(cls.folder), "sql": "none", "region": REGION, "binary": str(BINARY)}
        cls.control = subprocess.Popen([NODE, "--no-warnings", ROOT / "tests" / "aws" / "control.mjs", json.dumps(settings)],
                                       stdout=subprocess.PIPE, text=True)
        unittest.addModuleCleanup(cls.end)
        told = json.loads(cls.control.stdout.readline())
        cls.url, cls.s3 = told["url"], told["s3"]
        cls.ask(f"{cls.s3}/models", "PUT")

    @classmethod
    def end(cls):
        cls.control.terminate()
        cls.control.wait(10)
        cls.control.stdout.close()

    @staticmethod
    def ask(url, method="GET", body=None):
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method), timeout=20) as reply:
            return reply.read()

    @classmethod
    def start(cls, *arguments):
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own |= {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true"} | ({"AWS_ENDPOINT_URL": cls.url} if cls.url else {})
        return subprocess.Popen([BINARY, *arguments], cwd=cls.folder, env=own, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @classmethod
    def run_program(cls, *arguments, status=0):
        process = cls.start(*arguments)
        out, err = process.communicate(timeout=RUN_SECONDS_MAX)
        assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out, err

    def order(self, **faults):
        return json.loads(self.ask(self.url + "/referee", "POST", json.dumps(faults).encode()))

    def setUp(self):
        self.order()

    def seen(self):
        told = self.order()
        self.assertEqual(told["refused"], [])
        return told


def setUpModule():
    Control.make_world()


def granted(name, service):
    """Actions of a service that a policy in deploy/iam grants."""
    actions = set()
    for statement in json.loads((ROOT / "deploy" / "iam" / f"{name}.json").read_text())["Statement"]:
        listed = statement["Action"]
        actions |= set([listed] if isinstance(listed, str) else listed)
    return {action.split(":")[1] for action in actions if action.startswith(f"{service}:")}


class DeployTest(Control):
    def deploy(self, name, *more, data="m.model", status=0):
        return self.run_program("model", "deploy", "--sagemaker", *MADE, name, data, "--yes", *more, status=status)

    def undeploy(self, name, *more, status=0):
        return self.run_program("model", "undeploy", "--sagemaker", name, "--yes", *more, status=status)

    def test_from_a_model_file_to_scores_and_back(self):
        out, _ = self.deploy("first")
        self.assertIn("on 1 ml.m5.large: AWS charges for every second", out)
        self.assertIn("uploaded s3://models/pairwatch/first/model.tar.gz", out)
        bodies = self.seen()["bodies"]
        self.assertEqual(bodies["CreateModel"], [{"ModelName": "first", "ExecutionRoleArn": ROLE, "PrimaryContainer": {
            "Image": IMAGE, "ModelDataUrl": "s3://models/pairwatch/first/model.tar.gz"}}])
        self.assertEqual(bodies["CreateEndpointConfig"], [{"EndpointConfigName": "first", "ProductionVariants": [{
            "VariantName": "AllTraffic", "ModelName": "first", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
            "InitialVariantWeight": 1}]}])
        self.run_program("model", "calibrate", "sagemaker:first", "pairs.csv", "--spec", "vpc-egress", "--database", "sqlite:d.db")
        with sqlite3.connect(self.folder / "d.db") as db:
            self.assertEqual(db.execute("select detector, path from model").fetchall(), [("sagemaker", "sagemaker:first")])
        used = set(self.seen()["operations"]) | set(bodies)
        self.assertIn("InvokeEndpoint", used)
        out, _ = self.undeploy("first")
        self.assertEqual(re.findall(r"removed the (.+) first", out), ["endpoint", "endpoint configuration", "model"])
        told = self.seen()
        self.assertEqual([told["operations"][f"Delete{kind}"] for kind in ("Endpoint", "EndpointConfig", "Model")], [1, 1, 1])
        used |= set(told["operations"])
        self.assertEqual(used - {"S3.PUT"}, granted("model-deploy", "sagemaker"))
        self.assertEqual(granted("model-deploy", "s3"), {"PutObject"})
        _, err = self.undeploy("first", status=1)
        self.assertIn("there is no endpoint first", err)

    def test_serverless_and_an_archive_in_s3(self):
        subprocess.run(["tar", "czf", "a.tar.gz", "--transform", "s/m.model/pairwatch.model/", "m.model"], cwd=self.folder, check=True)
        request = urllib.request.Request(f"{self.s3}/models/a.tar.gz", data=(self.folder / "a.tar.gz").read_bytes(), method="PUT",
                                         headers={"Content-Type": "application/octet-stream"})
        urllib.request.urlopen(request, timeout=20).close()
        out, _ = self.deploy("small", "--serverless-memory", "2048", data="s3://models/a.tar.gz")
        self.assertIn("serverless, 2048 MB, at most 5 calls", out)
        variant = self.seen()["bodies"]["CreateEndpointConfig"][0]["ProductionVariants"][0]
        self.assertEqual(variant["ServerlessConfig"], {"MemorySizeInMB": 2048, "MaxConcurrency": 5})
        self.undeploy("small")

    def test_nothing_is_made_without_a_word(self):
        out, err = self.run_program("model", "deploy", "--sagemaker", *MADE, "quiet", "m.model", status=2)
        self.assertIn("AWS charges", out)
        self.assertIn("--yes", err)
        self.assertEqual(self.seen()["operations"], {})

    def test_what_failed_is_taken_back(self):
        self.order(sagemaker="fail")
        out, err = self.deploy("failing", status=1)
        self.assertIn("the endpoint failing failed: CapacityError", err)
        self.assertEqual(re.findall(r"removed the (.+) failing", out), ["endpoint", "endpoint configuration", "model"])
        self.order(answer={"CreateEndpointConfig": [400, "ResourceLimitExceeded", "The account-level service limit is 0 Instances"]})
        out, err = self.deploy("limited", status=1)
        self.assertIn("account-level service limit", err)
        self.assertEqual(re.findall(r"removed the (.+) limited", out), ["model"])

    def test_an_interrupt_takes_back_as_well(self):
        self.order(sagemaker="slow")
        process = self.start("model", "deploy", "--sagemaker", *MADE, "stopped", "m.model", "--yes")
        while "status" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1, out + err)
        self.assertIn("removed the endpoint stopped", out)

    def test_a_lost_answer_makes_nothing_twice(self):
        self.order(lose={"CreateModel": 1, "CreateEndpoint": 1})
        self.deploy("lost")
        self.undeploy("lost")

    def test_a_name_that_is_taken_is_left_alone(self):
        self.deploy("taken")
        out, err = self.deploy("taken", status=1)
        self.assertIn("there is already the endpoint taken", err)
        self.assertNotIn("removed", out)
        self.undeploy("taken")

    def test_what_is_left_of_an_endpoint_is_removed(self):
        self.deploy("half")
        self.order(answer={"DeleteModel": [400, "AccessDeniedException", "not authorized to perform: sagemaker:DeleteModel"]})
        self.undeploy("half", status=1)
        self.order()
        out, _ = self.undeploy("half")
        self.assertEqual(re.findall(r"removed the (.+) half", out), ["model"])

    def test_a_permission_that_is_missing(self):
        self.order(answer={"CreateModel": [400, "AccessDeniedException", "not authorized to perform: sagemaker:CreateModel"]})
        _, err = self.deploy("denied", status=1)
        self.assertIn("sagemaker:CreateModel", err)

    def test_a_model_that_is_none_is_not_uploaded(self):
        (self.folder / "x.model").write_text("no model")
        self.deploy("x", data="x.model", status=1)
        self.assertEqual(self.seen()["operations"], {})

    def test_what_the_command_line_cannot_mean(self):
        for words in (("deploy",), ("deploy", "a"), ("deploy", "a", "m.model"), ("deploy", "--sagemaker", "a_b", "m.model", *MADE),
                      ("deploy", "--sagemaker", "a", "m.model", "--image", IMAGE, "--sagemaker-role", ROLE),
                      ("deploy", "--sagemaker", "a", "m.model", "--image", IMAGE), ("undeploy", "a"), ("undeploy",),
                      ("undeploy", "--sagemaker", "a", "b")):
            self.run_program("model", *words, status=2)


class TrainTest(Control):
    def train(self, *more, status=0):
        return self.run_program("train", "--on", "sagemaker", *MADE, "--yes", "--out", "job.model", "--vector-dim", "8",
                                "--epochs", "2", *more, "pairs.csv", status=status)

    def setUp(self):
        super().setUp()
        (self.folder / "job.model").unlink(missing_ok=True)

    def test_a_job_from_pairs_to_a_model(self):
        out, err = self.train("--instance-type", "ml.c5.xlarge", "--volume-gb", "10", "--job-time", "2h")
        self.assertIn("one ml.c5.xlarge for at most 120 minutes", out)
        self.assertIn("took 61 s that AWS charges for", out)
        self.assertIn("job: #quality_metric: host=algo-1, epoch=1, train binary_classification_cross_entropy", err)
        self.assertEqual(err.count("epoch=0, train binary_classification_cross_entropy"), 1)
        told = self.seen()
        self.assertEqual(set(told["operations"]) | {"StopTrainingJob"}, {"S3.PUT", "S3.GET"} |
                         granted("train-sagemaker", "sagemaker") | granted("train-sagemaker", "logs"))
        body = told["bodies"]["CreateTrainingJob"][0]
        name = body["TrainingJobName"]
        self.assertRegex(name, r"^pairwatch-\d{8}-\d{6}-[0-9a-f]{4}$")
        self.assertEqual(body["ResourceConfig"], {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10})
        self.assertEqual(body["StoppingCondition"], {"MaxRuntimeInSeconds": 7200})
        self.assertEqual({k: body["HyperParameters"][k] for k in ("vector_dim", "epochs", "num_entity_vectors")},
                         {"vector_dim": "8", "epochs": "2", "num_entity_vectors": "64"})
        rows = self.ask(f"{self.s3}/models/pairwatch/{name}/train/pairs.csv").decode()
        self.assertEqual(len(rows.splitlines()), 3050)
        self.assertIn('"a ""b"", c",10.99.0.', rows)
        answer = subprocess.run([BINARY, "score", "--model", "job.model"], input="host-1,10.1.1.1\n", cwd=self.folder, text=True,
                                capture_output=True, check=True)
        self.assertIn("dot_product", answer.stdout)

    def test_an_artefact_of_sagemaker_itself_is_not_guessed_at(self):
        self.order(sagemaker="built-in")
        out, _ = self.train()
        self.assertIn("Its format is SageMaker's own", out)
        self.assertIn("pairwatch model deploy --sagemaker", out)
        self.assertFalse((self.folder / "job.model").exists())

    def test_artefacts_that_are_damaged(self):
        for fault, sentence in (("damaged", "what the job made"), ("cut", "model.tar.gz")):
            self.order(sagemaker=fault)
            _, err = self.train(status=1)
            self.assertIn(sentence, err)
            self.assertEqual(list(self.folder.glob("job.model*")), [])

    def test_jobs_that_fail(self):
        self.order(sagemaker="fail")
        _, err = self.train(status=1)
        self.assertIn("is Failed: CapacityError", err)

    def test_an_interrupt_stops_the_job(self):
        self.order(sagemaker="slow")
        process = self.start("train", "--on", "sagemaker", *MADE, "--yes", "--out", "job.model", "pairs.csv")
        while "stage" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1, out + err)
        self.assertIn("was told to stop", err)
        self.assertEqual(self.seen()["operations"]["StopTrainingJob"], 1)

    def test_a_log_that_may_not_be_read_is_done_without(self):
        self.order(answer={"DescribeLogStreams": [400, "AccessDeniedException", "not authorized to perform: logs:DescribeLogStreams"]})
        _, err = self.train()
        self.assertEqual(err.count("logs:DescribeLogStreams"), 1)
        self.assertTrue((self.folder / "job.model").exists())

    def test_a_lost_answer_starts_one_job(self):
        self.order(lose={"CreateTrainingJob": 1})
        self.train()
        names = {body["TrainingJobName"] for body in self.seen()["bodies"]["CreateTrainingJob"]}
        self.assertEqual(len(names), 1)

    def test_a_job_that_cannot_be_asked_for_goes_on(self):
        self.order(answer={"DescribeTrainingJob": [400, "AccessDeniedException", "not authorized to perform: sagemaker:DescribeTrainingJob"]})
        _, err = self.train(status=1)
        self.assertRegex(err, r"the job pairwatch-\S+ goes on in SageMaker: .*sagemaker:DescribeTrainingJob")

    def test_nothing_is_spent_without_a_word(self):
        self.run_program("train", "--on", "sagemaker", *MADE, "--out", "job.model", "pairs.csv", status=2)
        self.assertEqual(self.seen()["operations"], {})

    def test_what_the_command_line_cannot_mean(self):
        for words in (("--on", "ec2"), ("--on", "sagemaker", "--base", "m.model"), ("--on", "sagemaker"),
                      ("--on", "sagemaker", "--image", "x", "--sagemaker-role", ROLE),
                      ("--on", "sagemaker", "--image", IMAGE, "--sagemaker-role", ROLE, "--yes")):
            self.run_program("train", *words, "--out", "job.model", "pairs.csv", status=2)
        (self.folder / "two.ndjson").write_text("".join(
            json.dumps({"time": "2026-11-20T00:00:00Z", "spec": spec, "entity": "e", "ip": "192.0.2.1", "count": 1}) + "\n"
            for spec in ("vpc-egress", "vpc-ingress")))
        _, err = self.run_program("train", "--on", "sagemaker", *MADE, "--yes", "--out", "job.model", "two.ndjson", status=1)
        self.assertIn("choose with --spec", err)


if __name__ == "__main__":
    unittest.main()
