#!/usr/bin/env python3
"""`pairwatch check aws` of training and serving: Athena, SageMaker, the archive. Each permission is refused in turn in
the words that the services have for it; what is said to be missing is what was refused."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

from kit import BINARY, KEY_ID, NODE, REGION, ROOT, RUN_SECONDS_MAX, SECRET

SQL = ROOT / "build" / "tests" / "lake_sql"
OUTPUT, PLACE = "s3://query-results/athena/", "s3://models/pairwatch/"
ROLE = "arn:aws:iam::123456789012:role/runs-the-image"
WHO = "User: arn:aws:sts::123456789012:assumed-role/operator/session is not authorized to perform: "
ATHENA = ("--athena-output", OUTPUT)
SAGEMAKER = ("--sagemaker-bucket", PLACE, "--sagemaker-role", ROLE, "--image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/i:1")
GRANT = re.compile(r"grant it: (\{.*\})")
WORKGROUP = f"arn:aws:athena:{REGION}:*:workgroup/primary"


def policy(name, *services):
    """Actions of services that a policy in deploy/iam grants."""
    actions = set()
    for statement in json.loads((ROOT / "deploy" / "iam" / f"{name}.json").read_text())["Statement"]:
        listed = statement["Action"]
        actions |= set([listed] if isinstance(listed, str) else listed)
    return {action for action in actions if action.split(":")[0] in services}


class CheckServicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([ROOT / "tests" / "lake" / "build_sql"], check=True)
        cls.folder = Path(tempfile.mkdtemp(prefix="pairwatch-check-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run([BINARY, "simulate", "--entities", "20", "--days", "2", "--seed", "5", "--out", "lake"], cwd=cls.folder,
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        settings = {"lake": str(cls.folder / "lake"), "sql": str(SQL), "region": REGION, "binary": str(BINARY)}
        cls.control = subprocess.Popen([NODE, "--no-warnings", ROOT / "tests" / "aws" / "control.mjs", json.dumps(settings)],
                                       stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end)
        told = json.loads(cls.control.stdout.readline())
        cls.url, cls.s3 = told["url"], told["s3"]
        for bucket in ("query-results", "models"):
            cls.ask(f"{cls.s3}/{bucket}", "PUT")

    @classmethod
    def end(cls):
        cls.control.terminate()
        cls.control.wait(10)
        cls.control.stdout.close()

    @staticmethod
    def ask(url, method="GET", body=None):
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method), timeout=20) as reply:
            return reply.read()

    def order(self, **faults):
        return json.loads(self.ask(self.url + "/referee", "POST", json.dumps(faults).encode()))

    def setUp(self):
        self.order()

    def check(self, *flags, status=0):
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own |= {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": self.url}
        done = subprocess.run([BINARY, "check", "aws", *flags], cwd=self.folder, env=own, text=True, capture_output=True,
                              timeout=RUN_SECONDS_MAX, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def granted(self, out):
        return [json.loads(text) for text in GRANT.findall(out)]

    def refused(self, flags, action, resource, told=None, **faults):
        """One thing is missing, and that is what is said."""
        with self.subTest(action):
            self.order(**faults)
            out = self.check(*flags, status=1)
            self.assertEqual(self.granted(out), [{"Effect": "Allow", "Action": action, "Resource": resource}], out)
            self.assertEqual(out.count("FAULT"), 1, out)
            if told:
                self.assertIn(told, out)

    def fine(self, out):
        return set(re.findall(r"(?m)^ok +(\w+:\w+) ", out))

    def test_athena_as_it_should_be(self):
        out = self.check(*ATHENA)
        self.assertNotIn("FAULT", out)
        self.assertEqual(self.fine(out), policy("train-athena", "athena") | {"s3:PutObject", "s3:GetObject"})
        self.assertEqual(len(re.findall(r"(?m)^ok +the table +amazon_security_lake_table_eu_west_1_", out)), 2)
        told = self.order()
        self.assertEqual(told["refused"], [])
        self.assertEqual(told["operations"]["StartQueryExecution"], 2)
        for body in told["bodies"]["StartQueryExecution"]:
            self.assertIn(" LIMIT 1) TO 's3://query-results/athena/pairwatch-check-", body["QueryString"])
            self.assertIn("\"eventday\" >= '", body["QueryString"])

    def test_what_athena_itself_refuses(self):
        for operation, resource in (("GetTableMetadata", f"arn:aws:athena:{REGION}:*:datacatalog/AwsDataCatalog"),
                                    ("StartQueryExecution", WORKGROUP), ("GetQueryExecution", WORKGROUP),
                                    ("StopQueryExecution", WORKGROUP)):
            denial = [400, "AccessDeniedException", f"You are not authorized to perform: athena:{operation} on the resource."]
            self.refused(ATHENA, f"athena:{operation}", resource, answer={operation: denial})

    def test_what_others_refuse_behind_athena(self):
        table = "arn:aws:glue:eu-west-1:123456789012:table/amazon_security_lake_glue_db_eu_west_1/t"
        because = " because no identity-based policy allows it (Service: AmazonDataCatalog; Status Code: 400)"
        for_one = {"athena": {"reason": f"{WHO}lakeformation:GetDataAccess on resource: arn:aws:lakeformation:x because no"}}
        self.order(**for_one)
        out = self.check(*ATHENA, status=1)
        self.assertEqual({each["Action"] for each in self.granted(out)}, {"lakeformation:GetDataAccess"})
        self.order(athena={"table": f"{WHO}glue:GetTable on resource: {table}{because}"})
        out = self.check(*ATHENA, status=1)
        self.assertEqual({(each["Action"], each["Resource"]) for each in self.granted(out)}, {("glue:GetTable", table)})
        self.order(athena={"table": "Insufficient Lake Formation permission(s): Required Describe on t"})
        out = self.check(*ATHENA, status=1)
        self.assertIn("grant it in Lake Formation: SELECT and DESCRIBE on the table amazon_security_lake_glue_db_eu_west_1.amazon_", out)
        self.order(athena={"reason": "COLUMN_NOT_FOUND: Insufficient Lake Formation permission(s): no accessible column"})
        out = self.check(*ATHENA, status=1)
        self.assertRegex(out, "(?m)^ok +athena:StartQueryExecution ")
        self.assertIn("grant it in Lake Formation", out)
        self.assertNotRegex(out, "(?m)^ok +the table ")

    def test_the_place_of_results(self):
        self.refused(ATHENA, "s3:GetBucketLocation", "arn:aws:s3:::query-results", athena="no-bucket")
        self.refused(ATHENA, "s3:GetObject", "arn:aws:s3:::query-results/athena/*",
                     answer={"S3.GET": [403, "AccessDenied", "Access Denied"]})
        self.order(athena={"reason": "Access denied when writing output to url: s3://query-results/athena/x.csv"})
        out = self.check(*ATHENA, status=1)
        self.assertEqual({(each["Action"], each["Resource"]) for each in self.granted(out)},
                         {("s3:PutObject", "arn:aws:s3:::query-results/athena/*")})
        self.order(athena="fail")
        out = self.check(*ATHENA, status=1)
        self.assertIn("HIVE_BAD_DATA", out)
        self.assertEqual(self.granted(out), [])

    def test_a_lake_that_is_none(self):
        out = self.check(*ATHENA, "--athena-database", "elsewhere", status=1)
        self.assertIn("none of Security Lake's tables is to be seen in elsewhere", out)

    def test_sagemaker_as_it_should_be(self):
        wanted = policy("train-sagemaker", "sagemaker", "logs", "s3")
        self.assertEqual(self.fine(self.check(*SAGEMAKER)), wanted)
        wanted |= policy("model-deploy", "sagemaker") - {"sagemaker:InvokeEndpoint"}
        for fault in ({}, {"sagemaker": "unchecked"}):  # what is made all the same is taken back
            self.order(**fault)
            out = self.check(*SAGEMAKER, "--deploy", "to-be")
            self.assertNotIn("FAULT", out)
            self.assertEqual(self.fine(out), wanted)
            told = self.order()
            self.assertEqual(told["refused"], [])
            self.assertEqual(told["operations"]["StopTrainingJob"], 1)
            self.assertEqual(told["operations"]["DeleteModel"], 1)

    def test_each_permission_of_sagemaker(self):
        job = f"arn:aws:sagemaker:{REGION}:*:training-job/pairwatch-*"
        for action in sorted(policy("train-sagemaker", "sagemaker")):
            operation = action.split(":")[1]
            self.refused(SAGEMAKER, action, job, answer={operation: [400, "AccessDeniedException", f"{WHO}{action} on resource: x"]})
        for operation in ("DescribeLogStreams", "GetLogEvents"):
            group = f"arn:aws:logs:{REGION}:*:log-group:/aws/sagemaker/TrainingJobs"
            self.refused(SAGEMAKER, f"logs:{operation}", group + (":log-stream:pairwatch-*" if "Get" in operation else ""),
                         answer={operation: [400, "AccessDeniedException", f"{WHO}logs:{operation}"]})
        self.refused(SAGEMAKER, "iam:PassRole", ROLE, answer={"CreateTrainingJob": [
            400, "AccessDeniedException", f"{WHO}iam:PassRole on resource: {ROLE} because no identity-based policy allows it"]})
        self.refused(SAGEMAKER, "s3:PutObject", "arn:aws:s3:::models/pairwatch/*",
                     answer={"S3.PUT": [403, "AccessDenied", "Access Denied"]})
        self.refused(SAGEMAKER, "s3:GetObject", "arn:aws:s3:::models/pairwatch/*",
                     answer={"S3.GET": [403, "AccessDenied", "Access Denied"]})

    def test_each_permission_of_a_deployment(self):
        for kind, arn in (("Model", "model"), ("EndpointConfig", "endpoint-config"), ("Endpoint", "endpoint")):
            for verb in ("Create", "Delete"):
                self.refused((*SAGEMAKER, "--deploy", "to-be"), f"sagemaker:{verb}{kind}", f"arn:aws:sagemaker:{REGION}:*:{arn}/to-be",
                             answer={verb + kind: [400, "AccessDeniedException", f"{WHO}sagemaker:{verb}{kind}"]})
            self.order(answer={"Describe" + kind: [400, "AccessDeniedException", f"{WHO}sagemaker:Describe{kind}"]})
            out = self.check(*SAGEMAKER, "--deploy", "to-be", status=1)
            self.assertEqual([each["Action"] for each in self.granted(out)], [f"sagemaker:Describe{kind}"])
            self.assertIn("not tried: whether the name is free is not known", out)

    def test_the_archive(self):
        archive = ("--archive", "s3://models/old")
        self.assertEqual(self.fine(self.check(*archive)), {"s3:PutObject", "s3:GetObject", "s3:ListBucket"})
        self.refused(archive, "s3:PutObject", "arn:aws:s3:::models/old/*", answer={"S3.PUT": [403, "AccessDenied", "no"]})

    def test_what_the_command_line_cannot_mean(self):
        for flags in ([], ["--athena-output", "here"], ["--athena-output", "s3://b/it's/"], ["--sagemaker-bucket", PLACE],
                      [*SAGEMAKER, "--deploy", "no name"], ["--archive", "s3:/x"]):
            self.check(*flags, status=2)


if __name__ == "__main__":
    unittest.main()
