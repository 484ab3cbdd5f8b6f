"""Training pairs by Athena: the query runs in another engine over the same lake, and what it leaves must be what the
lake's own reader makes of the objects."""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
import urllib.request
from collections import Counter
from pathlib import Path

from kit import BINARY, KEY_ID, NODE, REGION, ROOT, RUN_SECONDS_MAX, SECRET, temp_folder

SQL = ROOT / "build" / "tests" / "lake_sql"
OUTPUT = "s3://query-results/athena/"
TABLE = f"amazon_security_lake_table_{REGION.replace('-', '_')}"


class AthenaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([ROOT / "tests" / "lake" / "build_sql"], check=True)
        cls.folder = temp_folder("athena")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.url = None
        cls.run_program("simulate", "--entities", "30", "--days", "3", "--seed", "5", "--start", "2026-11-21", "--out", "lake")
        route53 = cls.folder / "lake" / "aws" / "ROUTE53" / "1.0" / "region=x" / "accountId=1" / "eventDay=20261120"
        route53.mkdir(parents=True)
        cls.sql(f"""COPY (SELECT 4003 AS class_uid, 1795132800000 + 60000 * i AS time, {{'instance_uid': 'i-' || (i % 5)}} AS src_endpoint,
            {{'account_uid': '111122223333', 'region': '{REGION}'}} AS cloud, if(i % 7 = 0, 2, 1) AS disposition_id,
            CASE WHEN i % 11 = 0 THEN NULL ELSE [{{'type': 'A', 'rdata': '192.0.2.' || (i % 30)}},
            {{'type': 'CNAME', 'rdata': 'x.example'}}, {{'type': 'AAAA', 'rdata': '2001:db8::' || (i % 3)}}] END AS answers
            FROM range(500) t(i)) TO '{route53}/a.gz.parquet' (FORMAT parquet)""")
        settings = {"lake": str(cls.folder / "lake"), "sql": str(SQL), "region": REGION, "binary": str(BINARY)}
        cls.control = subprocess.Popen([NODE, "--no-warnings", ROOT / "tests" / "aws" / "control.mjs", json.dumps(settings)],
                                       stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end)
        told = json.loads(cls.control.stdout.readline())
        cls.url, cls.s3 = told["url"], told["s3"]
        cls.ask(f"{cls.s3}/query-results", "PUT")

    @classmethod
    def end(cls):
        cls.control.terminate()
        cls.control.wait(10)
        cls.control.stdout.close()

    @classmethod
    def sql(cls, *statements):
        subprocess.run([SQL, *statements], check=True)

    @staticmethod
    def ask(url, method="GET", body=None):
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method), timeout=20) as reply:
            return reply.read()

    @classmethod
    def start(cls, *arguments):
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own |= {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true"} | ({"AWS_ENDPOINT_URL": cls.url} if cls.url else {})
        return subprocess.Popen([BINARY, *arguments], cwd=cls.folder, env=own, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    @classmethod
    def run_program(cls, *arguments, status=0):
        process = cls.start(*arguments)
        out, err = process.communicate(timeout=RUN_SECONDS_MAX)
        assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out, err

    def train(self, *more, status=0, specs=("vpc-egress",)):
        chosen = [word for spec in specs for word in ("--spec", spec)]
        return self.run_program("train", "--from", "athena", "--athena-output", OUTPUT, "--out", "a.model", *chosen, *more,
                                status=status)

    def order(self, **faults):
        return json.loads(self.ask(self.url + "/referee", "POST", json.dumps(faults).encode()))

    def setUp(self):
        self.order()
        (self.folder / "a.model").unlink(missing_ok=True)

    def seen(self):
        told = self.order()
        self.assertEqual(told["refused"], [])
        return told

    def unloaded(self, told):
        """The files of the queries that were seen, fetched to read them once more."""
        for place, body in enumerate(told["bodies"]["StartQueryExecution"]):
            prefix = re.search(r"TO 's3://query-results/([^']+)'", body["QueryString"]).group(1)
            listed = self.ask(f"{self.s3}/query-results?list-type=2&prefix={prefix}").decode()
            for key in re.findall(r"<Key>([^<]+)</Key>", listed):
                path = self.folder / f"unloaded-{place}.parquet"
                path.write_bytes(self.ask(f"{self.s3}/query-results/{key}"))
                yield path

    def pairs(self, spec, *paths):
        total = Counter()
        for path in paths:
            for line in self.run_program("pairs", "--spec", spec, str(path))[0].splitlines():
                pair = json.loads(line)
                total[pair["time"][:13], pair["entity"], pair["ip"], pair["account"], pair["region"],
                      bool(pair.get("rejected"))] += pair["count"]
        return total

    def test_every_spec_as_the_objects_themselves(self):
        specs = ("vpc-egress", "vpc-ingress", "cloudtrail-principal", "dns-answer")
        out, err = self.train(specs=specs)
        told = self.seen()
        self.assertEqual(told["operations"]["StartQueryExecution"], 3)
        policy = json.loads((ROOT / "deploy" / "iam" / "train-athena.json").read_text())
        granted = {action.split(":")[1] for statement in policy["Statement"] for action in
                   (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
                   if action.startswith("athena:")}
        self.assertEqual(set(told["operations"]) - {"S3.GET"} | {"StopQueryExecution"}, granted)
        paths = list(self.unloaded(told))
        self.assertEqual(len(paths), 3)
        for spec in specs:
            wanted = self.pairs(spec, "lake")
            self.assertGreater(len(wanted), 20)
            found = Counter()
            for path in paths:
                found += self.pairs(spec, path)
            self.assertEqual(found, wanted, spec)
        self.assertRegex(out, r"objects 3 \(0 failed\), pairs \d+")
        self.assertIn("results stay in S3", err)
        self.assertIn('"amazon_security_lake_table_eu_west_1_route53_1_0"', str(told["bodies"]["StartQueryExecution"]))

    def test_days_bound_what_is_scanned(self):
        self.train("--since", "2026-11-21", "--until", "2026-11-22")
        told = self.seen()
        query = told["bodies"]["StartQueryExecution"][0]["QueryString"]
        self.assertIn("\"eventday\" >= '20261121' AND", query)
        self.assertIn("\"eventday\" < '20261122'", query)
        hours = {key[0][:10] for path in self.unloaded(told) for key in self.pairs("vpc-egress", path)}
        self.assertEqual(hours, {"2026-11-21"})

    def test_workgroup_and_named_table(self):
        self.train("--athena-workgroup", "security", "--athena-table", f"{TABLE}_vpc_flow_2_0")
        bodies = self.seen()["bodies"]
        self.assertEqual(bodies["StartQueryExecution"][0]["WorkGroup"], "security")
        self.assertEqual(bodies["StartQueryExecution"][0]["QueryExecutionContext"],
                         {"Catalog": "AwsDataCatalog", "Database": f"amazon_security_lake_glue_db_{REGION.replace('-', '_')}"})
        self.assertEqual([body["TableName"] for body in bodies["GetTableMetadata"]], [f"{TABLE}_vpc_flow_2_0"])

    def test_version_1_when_asked_for(self):
        self.train("--source-version", "1", specs=("dns-answer",))
        names = [body["TableName"] for body in self.seen()["bodies"]["GetTableMetadata"]]
        self.assertEqual(names, [f"{TABLE}_route53_1_0"])
        _, err = self.train("--source-version", "1", status=1)
        self.assertIn("none of Security Lake's tables", err)

    def test_a_query_that_fails(self):
        self.order(athena="fail")
        _, err = self.train(status=1)
        self.assertIn("failed: HIVE_BAD_DATA", err)
        self.assertFalse((self.folder / "a.model").exists())

    def test_a_query_that_somebody_cancels(self):
        self.order(athena="cancel")
        _, err = self.train(status=1)
        self.assertIn("was cancelled: Query was cancelled by the user", err)

    def test_an_interrupt_stops_the_query(self):
        self.order(athena="slow")
        process = self.start("train", "--from", "athena", "--athena-output", OUTPUT, "--out", "a.model", "--spec", "vpc-egress")
        while True:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "the query did not start")
            if "query started" in line:
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1, out + err)
        told = self.seen()
        self.assertEqual(told["operations"]["StopQueryExecution"], 1)
        self.assertFalse((self.folder / "a.model").exists())

    def test_throttled_and_lost_answers_start_one_query(self):
        self.order(answer={"GetQueryExecution": [400, "ThrottlingException", "Rate exceeded", 2],
                           "StartQueryExecution": [400, "TooManyRequestsException", "slow down", 1]},
                   lose={"StartQueryExecution": 1})
        self.train()
        told = self.seen()
        tokens = {body["ClientRequestToken"] for body in told["bodies"]["StartQueryExecution"]}
        self.assertEqual((len(tokens), len(list(self.unloaded(told)))), (1, 3))

    def test_a_manifest_that_leads_elsewhere_is_not_followed(self):
        self.order(athena="stray")
        _, err = self.train(status=1)
        self.assertIn("s3://another-bucket/secret.parquet", err)
        self.assertIn("none of ours", err)

    def test_permissions_that_are_missing(self):
        self.order(answer={"GetTableMetadata": [400, "AccessDeniedException",
                                                "User is not authorized to perform: athena:GetTableMetadata"]})
        _, err = self.train(status=1)
        self.assertIn("athena:GetTableMetadata", err)
        self.order(answer={"StartQueryExecution": [400, "InvalidRequestException", "WorkGroup x is not found."]})
        _, err = self.train(status=1)
        self.assertIn("WorkGroup x is not found", err)

    def test_what_the_command_line_cannot_mean(self):
        for words in (["--from", "s3"], ["--from", "athena"], ["--from", "athena", "--athena-output", "/tmp/x"],
                      ["--from", "athena", "--athena-output", OUTPUT, "lake"],
                      ["--from", "athena", "--athena-output", OUTPUT, "--athena-table", "a\"b"],
                      ["--from", "athena", "--athena-output", "s3://b/it's/"]):
            self.run_program("train", "--out", "a.model", *words, status=2)


if __name__ == "__main__":
    unittest.main()
