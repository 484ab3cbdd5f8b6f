"""Three workers on one queue and one database while everything around them fails: each worker and the
emulator of SQS and S3 are killed and started again at random, and a part of the GETs of objects fails, as
does a part of the calls of an endpoint that scores.
The store must end up holding what an undisturbed run leaves, and the queue empty.

CHAOS_OBJECTS says how many objects, 64 (32 with the endpoint) unless given; SEED what is killed when."""
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from kit import BINARY, FORMS, NODE, ROOT, Emulator, Lake, Service

sys.path.insert(0, str(ROOT / "tests" / "fault"))

from kill import compare, contents  # noqa: E402

OBJECTS = int(os.environ.get("CHAOS_OBJECTS", "64"))
OBJECTS_A_DAY = 16
SEED = int(os.environ.get("SEED", "1"))
WORKERS = 3
VISIBILITY_S = 4
CALM_SECONDS = (0.1, 1.0)  # between two kills
SECONDS_MAX = 60 + OBJECTS
FAILING_GETS = 0.1
THROTTLED_CALLS = 0.05
SPECS = ("vpc-egress", "vpc-ingress", "cloudtrail-principal")
RECEIVES_MAX = 50  # a kill counts as a try of every message in hand; none of them may be given up
STOP_SECONDS_MAX = 30
STARTED_SECONDS = 1  # before that a worker does not know what SIGTERM means


class ChaosTest(Lake):
    SCORER = "model:m.model"
    OBJECTS = OBJECTS
    DAYS = max(2, -(-OBJECTS // OBJECTS_A_DAY))

    @classmethod
    def make_emulator(cls):
        cls.service = Service("fauxqs", cls.folder / "emulator")
        cls.addClassCleanup(lambda: cls.service.kill())
        return Emulator({"sqs": cls.service.port, "s3": cls.service.port}, seed=SEED)

    def fill(self, queue):
        for place, (key, size, etag) in enumerate(self.objects[:self.OBJECTS]):
            self.emulator.send(queue, FORMS[place % len(FORMS)](key, size, etag))

    def arguments(self, queue, database):
        return ("work", "--queue", f"sqs:{queue}", "--scorer", self.SCORER, "--database", f"sqlite:{database}")

    def start_worker(self, queue):
        with open(self.folder / "workers.log", "a") as log:
            return self.start(*self.arguments(queue, "chaos.db"), "--threads", "2", output=log)

    def restart_emulator(self, chance):
        self.service.kill()
        time.sleep(chance.uniform(0, 1))
        self.service.start()

    def disturb(self, queue, chance):
        """Until the queue is empty; tells how often what was killed."""
        workers = [self.start_worker(queue) for _ in range(WORKERS)]
        kills = {"worker": 0, "emulator": 0}
        end = time.monotonic() + SECONDS_MAX
        try:
            while self.emulator.waiting(queue) != (0, 0):
                self.assertLess(time.monotonic(), end, "the queue does not empty")
                time.sleep(chance.uniform(*CALM_SECONDS))
                for worker in workers:
                    self.assertIsNone(worker.poll(), "a worker gave up by itself")
                which = chance.randrange(WORKERS + 1)
                if which == WORKERS:
                    self.restart_emulator(chance)
                    kills["emulator"] += 1
                    continue
                workers[which].send_signal(signal.SIGKILL)
                workers[which].wait(STOP_SECONDS_MAX)
                workers[which] = self.start_worker(queue)
                kills["worker"] += 1
            time.sleep(STARTED_SECONDS)
            for worker in workers:
                worker.terminate()
            self.assertEqual([worker.wait(STOP_SECONDS_MAX) for worker in workers], [0] * WORKERS)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(STOP_SECONDS_MAX)
        return kills

    def make_database(self, name):
        """Before a worker does."""

    def make_faults(self):
        self.emulator.set(s3_failures=FAILING_GETS)

    def log(self):
        return (self.folder / "workers.log").read_text()[-4000:]

    def test_what_is_stored_is_what_an_undisturbed_run_stores(self):
        calm = self.emulator.queue("calm")
        self.fill(calm)
        self.make_database("calm.db")
        self.make_database("chaos.db")
        self.run_program(*self.arguments(calm, "calm.db"), "--once")
        wanted = contents(self.folder / "calm.db")
        self.assertEqual(len(wanted["object"]), min(self.OBJECTS, len(self.objects)))

        queue, dead = self.emulator.queue_with_dead_letters("chaos", RECEIVES_MAX, VisibilityTimeout=str(VISIBILITY_S))
        self.fill(queue)
        self.make_faults()
        began = time.monotonic()
        try:
            kills = self.disturb(queue, random.Random(SEED))
            compare(self.folder / "chaos.db", wanted, f"after {kills}")
        except AssertionError as error:
            raise AssertionError(f"SEED={SEED}: {error}\n{self.log()}") from error
        seen = self.emulator.referee()
        self.assertEqual(seen["refused"], [])
        self.assertGreater(seen["failed"], 0)
        self.assertGreater(kills["worker"], 0)
        self.assertEqual(self.emulator.waiting(dead), (0, 0))
        print(f"chaos: {len(wanted['object'])} objects, {len(wanted['every_observation'])} observations, {kills['worker']} kills"
              f" of workers, {kills['emulator']} of the emulator, {seen['failed']} failed GETs,"
              f" {time.monotonic() - began:.0f} s", file=sys.stderr)


class ChaosSageMakerTest(ChaosTest):
    """The same with an endpoint of SageMaker that scores, and throttles a part of its calls."""
    SCORER = "sagemaker:ip-insights"
    OBJECTS = OBJECTS if OBJECTS > 64 else OBJECTS // 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        pairs = {(pair["entity"], pair["ip"]) for spec in SPECS
                 for pair in map(json.loads, cls.run_program("pairs", "--spec", spec, "lake")[0].splitlines())}
        (cls.folder / "pairs.csv").write_text("".join(f"{entity},{ip}\n" for entity, ip in sorted(pairs)))
        cls.run_program("train", "--detector", "ip_insights", "--out", "ip.model", "pairs.csv")
        # Its log would fill a pipe that nobody reads, and it would wait for ever.
        container = subprocess.Popen([BINARY, "serve", "--sagemaker", "--model", "ip.model", "--listen", "127.0.0.1:0"],
                                     cwd=cls.folder, env=cls.environment(), stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(cls.end, container)
        port = container.stdout.readline().strip().rsplit(":", 1)[1]
        runtime = subprocess.Popen([NODE, "--no-warnings", ROOT / "tests" / "aws" / "endpoint.mjs", port],
                                   stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end, runtime)
        cls.runtime_url = json.loads(runtime.stdout.readline())["url"]
        cls.run_program("model", "calibrate", cls.SCORER, "pairs.csv", *cls.specs(), "--database",
                        "sqlite:calibrated.db", "--threshold-percentile", "99")

    @staticmethod
    def end(process):
        process.terminate()
        process.communicate(timeout=STOP_SECONDS_MAX)

    @staticmethod
    def specs():
        return [word for spec in SPECS for word in ("--spec", spec)]

    @classmethod
    def environment(cls, **more):
        runtime = {"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": cls.runtime_url} if hasattr(cls, "runtime_url") else {}
        return super().environment(**runtime, **more)

    def arguments(self, queue, database):
        return super().arguments(queue, database) + tuple(self.specs())

    def make_database(self, name):
        with sqlite3.connect(self.folder / "calibrated.db") as db, sqlite3.connect(self.folder / name) as own:
            db.backup(own)

    def runtime(self, **faults):
        return json.loads(self.emulator.ask(self.runtime_url + "/referee", "POST", json.dumps(faults).encode())[0])

    def make_faults(self):
        super().make_faults()
        self.runtime(throttle=THROTTLED_CALLS)

    def tearDown(self):
        seen = self.runtime()
        self.assertEqual(seen["refused"], [])
        if self.OBJECTS > 200:  # of few calls, chance may throttle none
            self.assertGreater(seen["throttled"], 0)


if __name__ == "__main__":
    unittest.main()
