"""How long a function of Lambda takes from nothing to its first answer, behind a stand-in for Lambda's runtime
API, with S3 by an emulator and a server to post to. The archive of `make lambda` as it is."""
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "aws"))

RUNS = 7


def bench_lambda(show):
    from delivery import Serve
    from kit import Lake, subscriber_form
    from runtime_api import RuntimeApi, failed, sqs_event

    Lake.setUpClass()
    try:
        subprocess.run([ROOT / "deploy" / "lambda" / "build", Lake.folder / "m.model"], capture_output=True, check=True)
        server = Serve(Lake.folder, "bench.db")
        environment = Lake.environment(PAIRWATCH_POST=server.url, PAIRWATCH_TOKEN=server.token)
        # One processor, which Lambda gives to a function of 1,769 MB.
        command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), ROOT / "build" / "lambda" / "root" / "bootstrap"]
        start, first, warm = [], [], []
        for n in range(RUNS):
            api = RuntimeApi(command, "/", environment)
            assert api.ready.wait(30), api.log
            start.append(api.start_seconds)
            for took, place in ((first, 2 * n), (warm, 2 * n + 1)):
                event = sqs_event(json.dumps(subscriber_form(*Lake.objects[place])))
                began = time.monotonic()
                assert failed(api.invoke(event)) == [], api.log
                took.append(time.monotonic() - began)
            assert api.end() == 0
        server.end()
    finally:
        Lake.doClassCleanups()
    base = statistics.median(warm)
    show("lambda, an object while warm", base * 1000, "ms")
    show("lambda, starting", statistics.median(start) * 1000, "ms", statistics.median(start) / base, "an object while warm")
    show("lambda, the first object", statistics.median(first) * 1000, "ms", statistics.median(first) / base,
         "an object while warm")
