"""An endpoint of SageMaker that goes wrong for one object of a queue: that one has one recorded reason, its message goes
to the dead letters after its tries, the rest is as if nothing had happened."""
import json
import subprocess
import time
import unittest

from faults import Faults
from kit import BINARY, FORMS, NODE, ROOT

SPECS = ("vpc-egress", "vpc-ingress", "cloudtrail-principal")
TRIES = 2
VISIBILITY_S = 1
STOP_SECONDS_MAX = 30


class EndpointFaultsTest(Faults):
    FIRST = -8  # of VPC flows

    @classmethod
    def setUpClass(cls):
        cls.runtime_url = None
        super().setUpClass()

    @classmethod
    def make_emulator(cls):
        """Before anything is scored there is something that scores, and what its scores are worth."""
        emulator = super().make_emulator()
        cls.emulator = emulator
        cls.run_program("simulate", "--entities", "40", "--days", str(cls.DAYS), "--seed", "5", "--out", "pairs-lake")
        found = {spec: [json.loads(line) for line in cls.run_program("pairs", "--spec", spec, "pairs-lake")[0].splitlines()]
                 for spec in SPECS}
        pairs = sorted({(pair["entity"], pair["ip"]) for each in found.values() for pair in each})
        cls.objects_of = {}
        for each in found.values():
            for pair in each:
                cls.objects_of.setdefault(f"{pair['entity']},{pair['ip']}", set()).add(pair["object"])
        (cls.folder / "pairs.csv").write_text("".join(f"{entity},{ip}\n" for entity, ip in pairs))
        cls.run_program("train", "--detector", "ip_insights", "--out", "ip.model", "pairs.csv")
        container = cls.child([BINARY, "serve", "--sagemaker", "--model", "ip.model", "--listen", "127.0.0.1:0"])
        port = container.stdout.readline().strip().rsplit(":", 1)[1]
        runtime = cls.child([NODE, "--no-warnings", ROOT / "tests" / "aws" / "endpoint.mjs", port])
        cls.runtime_url = json.loads(runtime.stdout.readline())["url"]
        cls.run_program("model", "calibrate", "sagemaker:ip-insights", "pairs.csv", *cls.specs(), "--database",
                        "sqlite:calibrated.db", "--threshold-percentile", "99")
        return emulator

    @classmethod
    def child(cls, command):
        process = subprocess.Popen(command, cwd=cls.folder, env=cls.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(cls.end, process)
        return process

    @staticmethod
    def end(process):
        process.terminate()
        process.communicate(timeout=STOP_SECONDS_MAX)

    @staticmethod
    def specs():
        return [word for spec in SPECS for word in ("--spec", spec)]

    @classmethod
    def environment(cls, **more):
        runtime = {"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": cls.runtime_url} if cls.runtime_url else {}
        return super().environment(**runtime, **more)

    @classmethod
    def arguments(cls, queue, name, *more):
        if not (cls.folder / f"{name}.db").exists():
            (cls.folder / f"{name}.db").write_bytes((cls.folder / "calibrated.db").read_bytes())
        return ("work", "--queue", f"sqs:{queue}", "--scorer", "sagemaker:ip-insights", "--scorer-timeout", "1s", "--scorer-wait",
                "1s", "--database", f"sqlite:{name}.db", *cls.specs(), *more)

    def order(self, **faults):
        return json.loads(self.emulator.ask(self.runtime_url + "/referee", "POST", json.dumps(faults).encode())[0])

    def own_row(self):
        """One of the few objects, and a row that none of the others has."""
        few = {each[0] for each in self.few}
        for row, objects in sorted(self.objects_of.items()):
            names = {name.split("pairs-lake/")[-1] for name in objects} & few
            if len(names) == 1:
                return names.pop(), row
        return self.fail("every row is of several objects")

    def test_one_object_among_others(self):
        faults = ({"drop": True}, {"hang": True}, {"raw": ["application/jsonlines", '{"dot_product": 1}\n' * 9000]})
        reasons = ("predictions came for", "not scored within 1 s", "more than")
        key, row = self.own_row()
        for place, (fault, reason) in enumerate(zip(faults, reasons)):
            with self.subTest(fault):
                name = f"one-{place}"
                queue, dead = self.emulator.queue_with_dead_letters(name, TRIES, VisibilityTimeout=str(VISIBILITY_S))
                for turn, each in enumerate(self.few):
                    self.emulator.send(queue, FORMS[turn % len(FORMS)](*each))
                self.order(only=row, **fault)
                self.run_program(*self.arguments(queue, name, "--once"), status=1)
                while self.emulator.waiting(dead) != (1, 0):
                    time.sleep(VISIBILITY_S + 0.1)
                    self.run_program(*self.arguments(queue, name, "--once"), status=None)
                self.assertEqual(self.order()["refused"], [])
                self.assertEqual((self.emulator.waiting(queue), self.emulator.waiting(dead)), ((0, 0), (1, 0)))
                reasons_found = self.reasons(f"{name}.db")
                self.assertEqual(list(reasons_found), [key])
                self.assertIn(reason, reasons_found[key])
                self.assertEqual(self.query(name, "select count(*) from observation o join object b on b.id = o.object_id where b.key = ?",
                                            key), [(0,)])
                # What came of the others, and of this one when the endpoint is well again, is what always comes.
                self.emulator.send(queue, FORMS[0](*next(each for each in self.few if each[0] == key)))
                self.run_program(*self.arguments(queue, name, "--once"))
                self.assertEqual(self.observed(name), self.wanted)


if __name__ == "__main__":
    unittest.main()
