"""Commands that learn and judge, from files of their own: no server runs."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

from server import BINARY


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = temp_folder("detection")
        self.addCleanup(shutil.rmtree, self.folder)

    def run_program(self, *arguments, code=0, **more):
        done = subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True,
                              timeout=300, cwd=self.folder, **more)
        if "libduckdb" in done.stderr and done.returncode != 0:
            self.skipTest("libduckdb is not installed here")
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr[-2000:]}")
        return done


class Lines(Program):
    def test_the_lines_of_pairs_are_learned_as_the_objects_are(self):
        specs = ("--spec", "vpc-egress", "--spec", "cloudtrail-principal")
        self.run_program("simulate", "--entities", 20, "--days", 3, "--seed", 3, "--out", "lake")
        lines = self.run_program("pairs", *specs, "lake").stdout
        (self.folder / "pairs.ndjson").write_text(lines)
        self.run_program("train", "--out", "objects.model", *specs, "lake")
        self.run_program("train", "--out", "file.model", "pairs.ndjson")
        self.run_program("train", "--out", "pipe.model", "-", input=lines)
        objects = (self.folder / "objects.model").read_bytes()
        self.assertEqual((self.folder / "file.model").read_bytes(), objects)
        self.assertEqual((self.folder / "pipe.model").read_bytes(), objects)
        self.run_program("train", "--out", "one.model", "--spec", "cloudtrail-principal", "pairs.ndjson")
        self.run_program("train", "--out", "none.model", "--spec", "other", "pairs.ndjson", code=1)

    def test_refused_traffic_among_them_is_not_learned(self):
        line = {"time": "2026-01-01T00:00:00.000Z", "spec": "vpc-egress", "entity": "i-1",
                "ip": "192.0.2.1", "count": 3}
        refused = {**line, "ip": "203.0.113.9", "rejected": True}
        other = {**line, "entity": "i-3"}
        text = "".join(json.dumps(item) + "\n" for item in (line, refused, other))
        done = self.run_program("train", "--out", "a.model", "-", input=text)
        self.assertIn("pairs 2, entities 2", done.stdout)
        self.assertIn("not learned: 1 pairs of refused traffic, 0 that nobody answered", done.stdout)

    def test_calls_that_nobody_answered_are_not_learned(self):
        line = {"time": "2026-01-01T00:00:00.000Z", "spec": "vpc-egress", "entity": "i-1", "ip": "192.0.2.1"}
        call = {**line, "entity": "i-2", "ip": "203.0.113.9", "one_way": True}
        other = {**line, "entity": "i-3"}
        text = "".join(json.dumps(item) + "\n" for item in (line, call, other))
        done = self.run_program("train", "--out", "a.model", "-", input=text)
        self.assertIn("pairs 2, entities 2", done.stdout)
        self.assertIn("not learned: 0 pairs of refused traffic, 1 that nobody answered", done.stdout)
        self.run_program("train", "--out", "a.model", "-", input=json.dumps(call), code=1)

    def test_a_bad_line_is_told_with_its_place(self):
        good = '{"entity":"i-1","ip":"192.0.2.1"}\n'
        for bad, what in (('{"entity":"i-1","ip":"192.0.2.1","count":0}', "count"),
                          ('{"entity":"i-1","ip":"192.0.2.1","time":"noon"}', "time"),
                          ('{"entity":"i-1","ip":"192.0.2.1","spec":7}', "spec"),
                          ('{"entity":"i-1","ip":"192.0.2.1","rejected":1}', "rejected"),
                          ('{"entity":"i-1","ip":"192.0.2.1","one_way":"no"}', "one_way")):
            done = self.run_program("train", "--out", "a.model", "-", input=good + bad, code=1)
            self.assertIn("stdin:2:1: ", done.stderr)
            self.assertIn(what, done.stderr)


class Validation(Program):
    def rows(self, first, last):
        """Entities with networks of their own, of both families; the last number is new each day."""
        return "".join(f"user-{n},10.{n}.{i % 7}.{i}\nuser-{n},2a02:{n:x}:{i % 5}::{i:x}\n"
                       for n in range(1, 21) for i in range(first, last))

    def test_validation_is_measured_as_sagemaker_does(self):
        (self.folder / "train.csv").write_text(self.rows(0, 40))
        (self.folder / "validation.csv").write_text(self.rows(40, 50))
        asked = ("train", "--out", "a.model", "--detector", "ip_insights", "--epochs", 20,
                 "--validation")
        printed = self.run_program(*asked, "validation.csv", "train.csv").stdout
        found = re.findall(
            r"^#quality_metric: host=algo-1, validation discriminator_auc <score>=([0-9.]+)$",
            printed, re.MULTILINE)
        self.assertEqual(len(found), 1, printed)
        self.assertGreater(float(found[0]), 0.9)
        (self.folder / "empty.csv").write_text("")
        done = self.run_program(*asked, "empty.csv", "train.csv", code=1)
        self.assertIn("has no pairs to validate with", done.stderr)


if __name__ == "__main__":
    unittest.main()
