"""Scoring by a SageMaker endpoint: our own container behind a runtime that judges signatures and does what services do.

What an endpoint leaves in the store must be what the same model leaves as a file; what goes wrong on the way is
recorded once, with its reason, and harms nothing else."""
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

from delivery import Serve
from kit import BINARY, KEY_ID, NODE, REGION, ROOT, RUN_SECONDS_MAX, SECRET, temp_folder

SPECS = ("vpc-egress", "vpc-ingress", "cloudtrail-principal", "dns-answer")
OBSERVED = """select e.uid, s.name, hex(o.ip), o.first_ms, o.last_ms, o.count, round(o.score, 6), m.detector
    from observation o join entity e on e.id = o.entity_id join spec s on s.id = o.spec_id join model m on m.id = o.model_id"""


class Scorer(unittest.TestCase):
    @classmethod
    def make_world(cls):
        cls.folder = temp_folder("scorer")
        unittest.addModuleCleanup(shutil.rmtree, cls.folder)
        cls.url = None
        cls.run_program("simulate", "--entities", "40", "--days", "4", "--seed", "5", "--out", "lake")
        for path in sorted((cls.folder / "lake" / "aws" / "VPC_FLOW").rglob("*.parquet"))[:2]:
            few = cls.folder / "few" / path.relative_to(cls.folder / "lake")
            few.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, few)
        cls.pairs = sorted({(pair["spec"], pair["entity"], pair["ip"]) for pair in cls.extracted() if "rejected" not in pair})
        (cls.folder / "pairs.csv").write_text("".join(f"{e},{ip}\n" for e, ip in sorted({p[1:] for p in cls.pairs})))
        cls.run_program("train", "--detector", "ip_insights", "--out", "m.model", "pairs.csv")
        cls.container = subprocess.Popen([BINARY, "serve", "--sagemaker", "--model", "m.model", "--listen", "127.0.0.1:0"],
                                         cwd=cls.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        unittest.addModuleCleanup(cls.end, cls.container)
        port = re.search(r":(\d+)", cls.container.stdout.readline().split("//")[1]).group(1)
        cls.runtime = subprocess.Popen([NODE, "--no-warnings", ROOT / "tests" / "aws" / "endpoint.mjs", port],
                                       stdout=subprocess.PIPE, text=True)
        unittest.addModuleCleanup(cls.end, cls.runtime)
        cls.url = json.loads(cls.runtime.stdout.readline())["url"]
        cls.run_program("work", "--queue", "dir:lake", "--scorer", "model:m.model", "--once",
                        *cls.specs(), "--database", "sqlite:file.db")
        cls.wanted = [row[:-1] for row in cls.observed("file.db")]
        cls.run_program("work", "--queue", "dir:few", "--scorer", "model:m.model", "--once",
                        *cls.specs(), "--database", "sqlite:few.db")
        cls.wanted_few = [row[:-1] for row in cls.observed("few.db")]
        assert len(cls.wanted) > 500
        cls.order()
        cls.calibrate("calibrated.db", "--threshold-percentile", "99")

    @staticmethod
    def end(process):
        process.terminate()
        process.wait(10)
        process.stdout.close()

    @classmethod
    def extracted(cls):
        for spec in SPECS:
            for line in cls.run_program("pairs", "--spec", spec, "lake")[0].splitlines():
                yield json.loads(line)

    @staticmethod
    def specs():
        return [word for spec in SPECS for word in ("--spec", spec)]

    @classmethod
    def start(cls, *arguments, stdin=None):
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own |= {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true"}
        if cls.url:
            own["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] = cls.url
        return subprocess.Popen([BINARY, *arguments], cwd=cls.folder, env=own, text=True, stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @classmethod
    def run_program(cls, *arguments, status=0):
        process = cls.start(*arguments)
        out, err = process.communicate(timeout=RUN_SECONDS_MAX)
        assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out, err

    @classmethod
    def order(cls, **faults):
        """Sets the faults from now on; what was seen before."""
        request = urllib.request.Request(cls.url + "/referee", data=json.dumps(faults).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.loads(reply.read())

    @classmethod
    def calibrate(cls, name, *more, status=0):
        return cls.run_program("model", "calibrate", "sagemaker:ip-insights", "pairs.csv", *cls.specs(),
                               "--database", f"sqlite:{name}", *more, status=status)

    @classmethod
    def observed(cls, name):
        with sqlite3.connect(cls.folder / name) as db:
            return sorted(db.execute(OBSERVED).fetchall())

    def setUp(self):
        self.order()
        self.database = f"{self.id().split('.')[-1]}.db"
        with sqlite3.connect(self.folder / "calibrated.db") as db, sqlite3.connect(self.folder / self.database) as own:
            db.backup(own)

    def work(self, *more, status=0, scorer="sagemaker:ip-insights", queue="dir:lake"):
        return self.run_program("work", "--queue", queue, "--scorer", scorer, "--once", "--database",
                                f"sqlite:{self.database}", *more, status=status)

    def query(self, text):
        with sqlite3.connect(self.folder / self.database) as db:
            return db.execute(text).fetchall()

    def failures(self):
        return self.query("select error_code, error from object where error_code is not null")

    def assert_few_stored(self):
        self.order()
        self.work(queue="dir:few")
        self.assertEqual([row[:-1] for row in self.observed(self.database)], self.wanted_few)
        self.assertEqual(self.failures(), [])

    def assert_all_stored(self):
        self.assertEqual([row[:-1] for row in self.observed(self.database)], self.wanted)
        self.assertEqual(self.failures(), [])

    def seen(self):
        told = self.order()
        self.assertEqual(told["refused"], [])
        self.assertGreater(told["judged"], 0)
        return told


def setUpModule():
    Scorer.make_world()


class WorkTest(Scorer):
    def test_as_the_same_model_in_a_file(self):
        self.work()
        self.assert_all_stored()
        self.assertEqual({row[-1] for row in self.observed(self.database)}, {"sagemaker"})
        told = self.seen()
        self.assertEqual(set(told["types"]), {"text/csv"})
        self.assertEqual(set(told["accepts"]), {"application/jsonlines"})
        self.assertEqual(set(told["endpoints"]), {"ip-insights"})
        over = self.query("""select distinct o.spec_id, o.entity_id, o.ip from observation o
            join model_spec ms on ms.model_id = o.model_id and ms.spec_id = o.spec_id where o.score > ms.threshold""")
        self.assertEqual(sorted(over), sorted(self.query("select spec_id, entity_id, ip from finding")))
        self.assertGreater(len(over), 0)

    def test_requests_are_split(self):
        self.work("--scorer-rows", "7")
        self.assert_all_stored()
        rows = self.seen()["rows"]
        self.assertEqual(max(rows), 7)
        self.assertGreaterEqual(sum(rows), len({row[1:] for row in self.wanted}))

    def test_throttled_calls_are_paced_and_come_through(self):
        self.order(throttle=0.05)
        self.work("--scorer-rows", "40")
        self.assert_all_stored()
        self.assertGreater(self.seen()["throttled"], 0)

    def test_a_model_that_failed_is_asked_again(self):
        self.order(fail=2)
        self.work()
        self.assert_all_stored()
        self.order(late=1)
        self.assertEqual(self.work()[0].count("64 stored before"), 1)

    def test_a_model_that_was_late_is_asked_again(self):
        self.order(late=2)
        self.work()
        self.assert_all_stored()

    def test_a_bad_row_goes_unscored_and_the_others_do_not(self):
        entity = self.wanted[0][0]
        self.order(refuse=entity)
        out, err = self.work("--threads", "1")
        wanted = [row for row in self.wanted if row[0] != entity]
        self.assertEqual([row[:-1] for row in self.observed(self.database)], wanted)
        self.assertEqual(self.failures(), [])
        counts = [json.loads(row[0]).get("refused", 0) for row in self.query("select unscored from object")]
        self.assertEqual(sum(counts), sum(row[5] for row in self.wanted if row[0] == entity))
        self.assertRegex(out, rf"unscored, refused +{sum(counts)} rows")
        self.assertIn("Unable to parse row", err)

    def test_a_model_that_knows_no_such_form_fails_the_objects(self):
        self.order(refuse=",", status=415)
        self.work("--threads", "1", queue="dir:few", status=1)
        self.assertEqual(len(self.failures()), 2)
        self.assertEqual(self.seen()["calls"], 2)

    def test_null_is_no_score(self):
        entity = self.wanted[0][0]
        self.order(null=entity)
        _, err = self.work()
        self.assertEqual([row[:-1] for row in self.observed(self.database)],
                         [row for row in self.wanted if row[0] != entity])
        self.assertIn("null", err)

    def test_a_model_that_refuses_everything_fails_the_objects(self):
        self.order(refuse=",")
        out, _ = self.work(queue="dir:few", status=1)
        failures = self.failures()
        self.assertEqual(len(failures), 2)
        self.assertTrue(all(code == "invalid" and "takes none of the pairs: Unable to parse" in text
                            for code, text in failures), failures)
        self.assertIn(f"({len(failures)} failed)", out)
        self.assert_few_stored()

    def test_a_hanging_endpoint_ends_by_its_deadline(self):
        self.order(hang=True)
        began = time.monotonic()
        self.work("--scorer-timeout", "1s", "--scorer-wait", "2s", "--threads", "4", queue="dir:few", status=1)
        self.assertLess(time.monotonic() - began, 20)
        failures = self.failures()
        self.assertEqual(len(failures), 2)
        self.assertTrue(all(code == "unavailable" and "not scored within 2 s" in text for code, text in failures), failures)
        self.assert_few_stored()

    def test_a_stop_is_heeded_while_the_endpoint_hangs(self):
        self.order(hang=True)
        process = self.start("work", "--queue", "dir:lake", "--scorer", "sagemaker:ip-insights", "--database",
                             f"sqlite:{self.database}")
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, out + err)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.failures(), [])

    def assert_corrupt(self, sentence, **faults):
        self.order(**faults)
        self.work(queue="dir:few", status=1)
        failures = self.failures()
        self.assertTrue(failures and all(code == "corrupt" and re.search(sentence, text) for code, text in failures), failures)
        self.assertEqual(self.observed(self.database), [])

    def test_a_prediction_too_few(self):
        self.assert_corrupt(r"the endpoint ip-insights: \d+ predictions came for \d+ pairs", drop=True)

    def test_a_prediction_too_few_in_json(self):
        self.assert_corrupt(r"\d+ predictions came for \d+ pairs", drop=True, json=True)

    def test_predictions_too_many(self):
        self.assert_corrupt(r"more than \d+ predictions", raw=["application/jsonlines", '{"dot_product": 1}\n' * 5000])

    def test_no_number(self):
        self.assert_corrupt("has no number", raw=["application/jsonlines", '{"dot_product": "1"}\n'])

    def test_another_model_altogether(self):
        self.assert_corrupt("no list", raw=["application/json", '{"scores": [1]}'])

    def test_no_json(self):
        self.assert_corrupt("not JSON", raw=["text/html", "<html>"])

    def test_json_is_read_as_well(self):
        self.order(json=True)
        self.work()
        self.assert_all_stored()

    def test_an_answer_without_end(self):
        self.order(raw=["application/jsonlines", '{"dot_product": 1}\n' * 300000])
        self.work("--scorer-wait", "5s", queue="dir:few", status=1)
        self.assertEqual({code for code, _ in self.failures()}, {"too_large"})

    def test_an_endpoint_that_is_gone_stops_the_worker(self):
        self.order(answer=[400, "ValidationError", "Endpoint ip-insights of account 123456789012 not found."])
        _, err = self.work(status=1)
        self.assertIn("the endpoint ip-insights: sagemaker-runtime answered 400 ValidationError: Endpoint ip-insights", err)
        self.assertEqual(self.failures(), [])

    def test_a_permission_that_is_missing_stops_the_worker(self):
        self.order(answer=[403, "AccessDeniedException", "not authorized to perform: sagemaker:InvokeEndpoint"])
        _, err = self.work(status=1)
        self.assertIn("sagemaker:InvokeEndpoint", err)
        self.assertEqual(self.failures(), [])

    def test_credentials_that_expired_are_waited_for(self):
        self.order(answer=[403, "ExpiredTokenException", "The security token included in the request is expired"])
        self.work("--scorer-wait", "2s", "--threads", "4", queue="dir:few", status=1)
        failures = self.failures()
        self.assertTrue(failures and all(code == "unavailable" and "expired" in text for code, text in failures), failures)

    def test_without_a_calibration_it_says_what_to_do(self):
        _, err = self.work(scorer="sagemaker:another", status=1)
        self.assertIn("pairwatch model calibrate sagemaker:another", err)

    def test_names_that_are_none(self):
        for name in ("", "a_b", "-a", "a" * 64, "a/b"):
            self.work(scorer=f"sagemaker:{name}", status=2)

    def test_as_the_active_model(self):
        _, err = self.work(scorer="active", status=1)
        self.assertIn("no model is active", err)
        listed, _ = self.run_program("model", "list", "--database", f"sqlite:{self.database}")
        identity = listed.split()[0]
        self.run_program("model", "activate", identity, "--database", f"sqlite:{self.database}")
        _, err = self.work("--learn-daily", "learned", scorer="active", status=1)
        self.assertIn("does not learn on", err)
        self.assert_all_stored()

    def compared(self):
        return {(spec, pairs, both, active, shadow) for spec, pairs, both, active, shadow in self.query(
            """select s.name, sum(c.pairs), sum(c.by_both), sum(c.only_active), sum(c.only_shadow) from comparison c
                join spec s on s.id = c.spec_id group by 1""")}

    def with_shadow(self, **faults):
        """A file scores, the endpoint with the same model behind it is the shadow."""
        database = ("--database", f"sqlite:{self.database}")
        self.run_program("model", "activate", "s.model", *database)
        out, _ = self.run_program("model", "shadow", "sagemaker:ip-insights", *database)
        self.assertIn(" shadow", out)
        self.order(**faults)
        return self.work("--spec", "vpc-egress", "--scorer-wait", "1s", "--scorer-timeout", "1s", scorer="active", queue="dir:few")

    def test_as_a_shadow(self):
        own = "vpc-egress.csv"
        (self.folder / own).write_text("".join(f"{e},{ip}\n" for spec, e, ip in self.pairs if spec == "vpc-egress"))
        self.run_program("model", "calibrate", "m.model", own, "--spec", "vpc-egress", "--out", "s.model", "--threshold-percentile", "90")
        alone, _ = self.run_program("work", "--queue", "dir:few", "--once", "--scorer", "model:s.model", "--spec", "vpc-egress",
                                    "--database", "sqlite:shadow-alone.db")
        beside, _ = self.with_shadow()
        self.assertEqual(beside, alone)  # nothing is flagged by it
        ((spec, pairs, both, active, shadow),) = self.compared()
        (observed, flagged) = self.query("select count(*), count(finding_id) from observation")[0]
        self.assertEqual((spec, pairs, both + active), ("vpc-egress", observed, flagged))
        self.assertGreater(self.order()["calls"], 0)
        thresholds = dict(self.query("select m.detector, t.threshold from model_spec t join model m on m.id = t.model_id"
                                     " join spec s on s.id = t.spec_id where s.name = 'vpc-egress'"))
        self.assertEqual(len(thresholds), 2)
        by_endpoint = self.query(f"select count(*) from observation where score > {thresholds['sagemaker']!r}")[0][0]
        self.assertEqual(both + shadow, by_endpoint)  # the same model, so the same scores
        out, _ = self.run_program("model", "compare", "sagemaker:ip-insights", "--database", f"sqlite:{self.database}")
        self.assertIn(f"pairs {pairs}, flagged by both {both}, only active {active}, only shadow {shadow}", out)
        for faults in ({"answer": [500, "InternalFailure", "no"]}, {"hang": True}, {"raw": ["application/json", "no"]},
                       {"answer": [400, "ValidationError", "Endpoint ip-insights of account 123456789012 not found."]}):
            self.setUp()  # what happens to a shadow keeps nobody from work
            out, err = self.with_shadow(**faults)
            self.assertEqual(out, alone)
            self.assertIn("the shadow did not score", err)
            self.assertEqual((self.compared(), self.failures()), (set(), []))
            self.order()


class PostTest(Scorer):
    @classmethod
    def setUpClass(cls):
        cls.order()
        cls.run_program("model", "calibrate", "sagemaker:ip-insights", "pairs.csv", *cls.specs(), "--threshold-percentile",
                        "99", "--out", "calibration.json")

    def post(self, serve, calibration="calibration.json", status=0, scorer="sagemaker:ip-insights"):
        (self.folder / "token").write_text(serve.token)
        return self.run_program("work", "--queue", "dir:lake", "--scorer", scorer, "--calibration", calibration, "--once",
                                "--post", serve.url, "--token-file", "token", status=status)

    def test_a_worker_without_a_database_leaves_the_same(self):
        self.work()
        wanted = self.query("select count(*), sum(sightings) from finding")
        serve = Serve(self.folder, "posted.db")
        self.addCleanup(serve.end)
        self.post(serve)
        self.assertEqual([row[:-1] for row in self.observed("posted.db")], self.wanted)
        self.database = "posted.db"
        self.assertEqual(self.query("select distinct detector from model"), [("sagemaker",)])
        self.assertEqual(self.query("select count(*), sum(sightings) from finding"), wanted)
        self.assertGreater(wanted[0][0], 0)

    def test_calibrations_that_are_none(self):
        whole = json.loads((self.folder / "calibration.json").read_text())
        spoiled = {"another": whole | {"info": whole["info"] | {"endpoint": "other"}}, "empty": whole | {"specs": []},
                   "nameless": whole | {"id": None}, "unsorted": whole | {"specs": [whole["specs"][0] | {"quantiles": [1, 0] * 500 + [1]}]},
                   "short": whole | {"specs": [whole["specs"][0] | {"quantiles": [1]}]}, "unlike": [1]}
        serve = Serve(self.folder, "none.db")
        self.addCleanup(serve.end)
        for name, text in spoiled.items():
            (self.folder / "spoiled.json").write_text(json.dumps(text))
            _, err = self.post(serve, "spoiled.json", status=1)
            self.assertIn("calibration", err, name)
        (self.folder / "spoiled.json").write_text(json.dumps(whole)[:-9])
        self.assertIn("spoiled.json", self.post(serve, "spoiled.json", status=1)[1])
        self.post(serve, "absent.json", status=1)
        self.post(serve, scorer="model:m.model", status=2)
        self.work("--calibration", "calibration.json", status=2)


class CalibrateTest(Scorer):
    def calibrated(self, *paths, status=0):
        return self.run_program("model", "calibrate", "sagemaker:ip-insights", *paths, "--database",
                                f"sqlite:{self.database}", status=status)

    def spec_rows(self):
        return self.query("""select s.name, ms.threshold, ms.sample_size, length(ms.quantiles) from model_spec ms
            join model m on m.id = ms.model_id join spec s on s.id = ms.spec_id
            where m.id = (select max(id) from model) order by s.name""")

    def scores(self):
        rows = "".join(f"{e},{ip}\n" for e, ip in sorted({p[1:] for p in self.pairs}))
        process = subprocess.run([BINARY, "score", "--model", "m.model"], input=rows, cwd=self.folder, text=True,
                                 capture_output=True, check=True)
        return sorted(-json.loads(line)["dot_product"] for line in process.stdout.splitlines())

    def score(self, rows, *more, status=0):
        process = self.start("score", "--scorer", "sagemaker:ip-insights", *more, stdin=subprocess.PIPE)
        out, err = process.communicate(rows, timeout=RUN_SECONDS_MAX)
        self.assertEqual(process.returncode, status, out + err)
        return out, err

    def test_score_as_the_file_does(self):
        rows = "".join(f"{e},{ip}\n" for _, e, ip in self.pairs[:300])
        wanted = subprocess.run([BINARY, "score", "--model", "m.model"], input=rows, cwd=self.folder, text=True,
                                capture_output=True, check=True).stdout
        out, _ = self.score(rows)
        self.assertEqual([json.loads(line) for line in out.splitlines()], [json.loads(line) for line in wanted.splitlines()])
        entity = self.pairs[0][1]
        self.order(refuse=entity)
        out, err = self.score(rows)
        for line, pair in zip(out.splitlines(), self.pairs[:300]):
            self.assertEqual(json.loads(line)["dot_product"] is None, pair[1] == entity)
        self.assertIn("rows have no score", err)
        self.order(answer=[403, "AccessDeniedException", "no"])
        self.score(rows, status=1)
        self.score(rows, "--model", "m.model", status=2)
        self.score(rows, "--accept", "application/json", status=2)

    def test_threshold_by_score_percentile_and_budget(self):
        scores = self.scores()
        self.calibrated("pairs.csv", "--spec", "vpc-egress", "--threshold-score", "1.5")
        self.assertEqual(self.spec_rows(), [("vpc-egress", 1.5, len(scores), 4004)])
        self.calibrated("pairs.csv", "--spec", "vpc-egress", "--threshold-percentile", "90")
        threshold = self.spec_rows()[0][1]
        self.assertAlmostEqual(sum(score > threshold for score in scores), len(scores) / 10, delta=1)
        out, _ = self.calibrated("pairs.csv", "--spec", "vpc-egress", "--alerts-per-day", "3")
        threshold = self.spec_rows()[0][1]
        self.assertEqual(sum(score > threshold for score in scores), 3)
        self.assertIn("IPv4 and IPv6", out)
        self.seen()

    def test_a_sample_is_drawn_and_stands_for_all(self):
        self.calibrated("pairs.csv", "--spec", "vpc-egress", "--threshold-percentile", "80", "--sample", "400")
        name, threshold, size, _ = self.spec_rows()[0]
        self.assertEqual((name, size), ("vpc-egress", 400))
        part = sum(score > threshold for score in self.scores()) / len(self.scores())
        self.assertAlmostEqual(part, 0.2, delta=0.06)
        self.assertLessEqual(max(self.seen()["rows"]), 400)

    def test_each_spec_of_objects_by_itself(self):
        self.calibrated("lake", "--spec", "vpc-egress", "--spec", "vpc-ingress")
        counts = {spec: len([p for p in self.pairs if p[0] == spec]) for spec in ("vpc-egress", "vpc-ingress")}
        self.assertEqual({name: size for name, _, size, _ in self.spec_rows()}, counts)

    def test_pairs_of_the_database(self):
        shutil.copy(self.folder / "file.db", self.folder / self.database)
        self.calibrated("--spec", "vpc-egress")
        self.assertEqual(self.spec_rows()[0][0], "vpc-egress")

    def test_bad_rows_are_left_out_and_told(self):
        entity = self.pairs[0][1]
        self.order(refuse=entity)
        out, err = self.calibrated("pairs.csv", "--spec", "vpc-egress")
        self.assertRegex(out, r"refused [1-9]")
        self.assertIn("Unable to parse row", err)

    def test_an_endpoint_of_ipv4_alone(self):
        self.order(ipv4=True)
        rows = (self.folder / "pairs.csv").read_text() + "".join(f"six,2001:db8::{i:x}\n" for i in range(1, 50))
        (self.folder / "both.csv").write_text(rows)
        out, _ = self.calibrated("both.csv", "--spec", "vpc-egress", "--spec", "vpc-ingress")
        self.assertIn("IPv4 only", out)
        self.assertRegex(out, "refused 0, IPv6 left out 49")
        event = {"class_uid": 4001, "time": 1700000000000, "metadata": {"version": "1.1.0"},
                 "src_endpoint": {"instance_uid": "i-1"}, "dst_endpoint": {"ip": "2001:db8::9"}, "cloud": {"region": REGION}}
        other = event | {"dst_endpoint": {"ip": "192.0.2.9"}}
        place = self.folder / "six" / "aws" / "VPC_FLOW" / "2.0" / "region=x" / "accountId=1" / "eventDay=20231114"
        place.mkdir(parents=True)
        (place / "a.json").write_text(json.dumps(event) + "\n" + json.dumps(other) + "\n")
        out, _ = self.work(queue="dir:six")
        self.assertRegex(out, r"unscored, ipv6 +1 rows")
        self.assertEqual(len(self.observed(self.database)), 1)
        self.assertEqual(self.failures(), [])

    def test_entities_that_csv_cannot_carry_go_as_json_lines(self):
        rows = "".join(f'"arn:x,{i} ""q""",192.0.2.{i}\n' for i in range(200))
        (self.folder / "quoted.csv").write_text(rows)
        self.calibrated("quoted.csv", "--spec", "vpc-egress")
        told = self.seen()
        self.assertEqual(told["types"], {"application/jsonlines": 2}) # the question about IPv6, and the pairs
        self.assertEqual(self.spec_rows()[0][2], 200)

    def test_what_cannot_be_calibrated(self):
        (self.folder / "few.csv").write_text("a,192.0.2.1\n")
        (self.folder / "none.csv").write_text("entity,ip\n")
        for paths, sentence in ((("few.csv", "--spec", "vpc-egress"), "at least 100"),
                                (("pairs.csv",), "--spec names the specs"),
                                (("none.csv", "--spec", "vpc-egress"), "no pairs to calibrate by"),
                                (("absent.csv", "--spec", "vpc-egress"), "absent.csv")):
            _, err = self.calibrated(*paths, status=1)
            self.assertIn(sentence, err)
        self.calibrated("pairs.csv", "--threshold-score", "1", "--threshold-percentile", "2", status=2)
        self.run_program("model", "calibrate", status=2)
        self.run_program("model", "calibrate", "sagemaker:a_b", "pairs.csv", "--spec", "x", status=2)
        self.order(answer=[403, "AccessDeniedException", "no"])
        _, err = self.calibrated("pairs.csv", "--spec", "vpc-egress", status=1)
        self.assertIn("AccessDenied", err)
        self.assertEqual(len(self.query("select id from model")), 1)

    def test_a_model_file_is_written_anew(self):
        _, err = self.run_program("model", "calibrate", "m.model", "pairs.csv", status=2)
        self.assertIn("--out", err)
        before = (self.folder / "m.model").read_bytes()
        out, _ = self.run_program("model", "calibrate", "m.model", "pairs.csv", "--out", "c.model", "--threshold-score", "2.5")
        self.assertIn("threshold 2.5000", out)
        self.assertEqual((self.folder / "m.model").read_bytes(), before)
        rows = "".join(f"{e},{ip}\n" for _, e, ip in self.pairs[:50])
        answers = [subprocess.run([BINARY, "score", "--model", name], input=rows, cwd=self.folder, text=True,
                                  capture_output=True, check=True).stdout for name in ("m.model", "c.model")]
        self.assertEqual(*answers)


if __name__ == "__main__":
    unittest.main()
