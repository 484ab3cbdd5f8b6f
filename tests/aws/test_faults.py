"""What AWS answers to a worker that runs for months, once each: clocks, keys, regions, refusals, silence, outages,
and what stands in between: proxies, certificates."""
import datetime
import json
import os
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from faults import FEW, MEBIBYTE, XML, Faults, xml
from kit import KEY_ID, REGION, RUN_SECONDS_MAX, SECRET, subscriber_form
from relay import Relay, certificate


class Agent(BaseHTTPRequestHandler):
    """The container's agent; its keys last for `seconds`."""
    asked, seconds = 0, 3600

    def do_GET(self):
        Agent.asked += 1
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=Agent.seconds)
        body = json.dumps({"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class FaultsTest(Faults):
    def test_a_clock_that_is_wrong_is_corrected_by_the_services(self):
        for clock_s in (3600, -7200):
            self.name = f"clock{clock_s}"
            queue = self.queue()
            self.set(clock_s=clock_s)
            _, err = self.work(queue)
            self.assertIn("the clock differs from the service's", err)
            self.set()
            self.assert_all_stored(queue)

    def with_agent(self):
        agent = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
        self.addCleanup(agent.server_close)
        self.addCleanup(agent.shutdown)
        threading.Thread(target=agent.serve_forever, daemon=True).start()
        Agent.asked = 0
        return {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{agent.server_port}/agent"}

    def test_keys_that_expire_in_the_middle(self):
        expired = {"status": 400, "headers": XML, "body": xml("ExpiredToken", "The provided token has expired.")}
        agent = self.with_agent()
        queue = self.queue()
        self.set({"operation": "S3.GET", "after": 3, "times": 1} | expired)
        self.work(queue, **agent)
        self.assertEqual(Agent.asked, 2)
        self.assert_all_stored(queue)

    def test_keys_about_to_end_are_renewed_before_they_do(self):
        agent = self.with_agent()
        queue = self.queue()
        Agent.seconds = 240  # nothing is signed with keys of their last five minutes while there are others
        self.addCleanup(setattr, Agent, "seconds", 3600)
        self.work(queue, **agent)
        self.assertGreater(Agent.asked, FEW)
        self.assert_all_stored(queue)

    def test_a_bucket_of_another_region_is_asked_there(self):
        moved = {"status": 301, "headers": XML | {"x-amz-bucket-region": "us-west-2"},
                 "body": xml("PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")}
        wrong = {"status": 400, "headers": XML, "body": xml("AuthorizationHeaderMalformed", "the region is wrong", "<Region>ap-south-1</Region>")}
        queue = self.queue()
        before = len(self.seen("S3.GET"))
        self.set(*({"operation": "S3.GET", "path": each[0].rsplit("/", 1)[1], "times": 1} | rule
                   for each, rule in zip(self.few, (moved, wrong))))
        self.work(queue)
        regions = [each["region"] for each in self.seen("S3.GET")[before:]]
        self.assertEqual(sorted(regions), sorted([REGION] * FEW + ["us-west-2", "ap-south-1"]))
        self.assert_all_stored(queue)

    def test_refusals_say_what_is_missing(self):
        key = "arn:aws:kms:eu-west-1:123456789012:key/0f6b3b0e-5d1b-4f0a-9c59-6a6f6d2f1c11"
        kms = xml("AccessDenied", f"User: x is not authorized to perform: kms:Decrypt on resource: {key} because no"
                                  " identity-based policy allows the kms:Decrypt action")
        answers = (("kms:Decrypt is needed", kms), ("s3:GetObject is needed", xml("AccessDenied", "Access Denied")),
                   ("has to be restored", xml("InvalidObjectState", "The operation is not valid for the object's storage class")),
                   ("there is no bucket", xml("NoSuchBucket", "The specified bucket does not exist")))
        queue = self.emulator.queue(self.name)
        self.fill(queue, self.few)
        self.set(*({"operation": "S3.GET", "path": each[0].rsplit("/", 1)[1], "headers": XML, "body": body,
                    "status": 404 if "NoSuch" in body else 403} for (_, body), each in zip(answers, self.few)))
        self.work(queue, status=1)
        reasons = self.reasons(f"{self.name}.db")
        for (wanted, _), each in zip(answers, self.few):
            self.assertIn(wanted, reasons[each[0]])
        self.assertEqual(len(reasons), len(answers))
        self.assertEqual(self.emulator.waiting(queue), (0, len(answers)))

    def test_an_answer_that_stands_still_or_is_cut_short(self):
        hanging, cut = self.few[2][0], self.few[5][0]
        queue = self.queue()
        self.set({"operation": "S3.GET", "path": hanging.rsplit("/", 1)[1], "hang": True},
                 {"operation": "S3.GET", "path": cut.rsplit("/", 1)[1], "times": 2, "cut": 500})
        self.work(queue, "--s3-stall-seconds", "1", status=1)
        self.assertEqual(list(self.reasons(f"{self.name}.db")), [hanging])
        self.assertIn("transferred", self.reasons(f"{self.name}.db")[hanging])
        self.assertEqual(self.emulator.waiting(queue), (0, 1))

    def open_files(self, process):
        links = []
        for each in os.listdir(f"/proc/{process.pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{process.pid}/fd/{each}"))
            except FileNotFoundError:
                pass
        return (sum("memfd:object" in link for link in links),
                sum(str(self.folder / "spill") in link for link in links))

    def test_several_objects_at_once_within_the_memory_budget(self):
        (self.folder / "spill").mkdir()
        queue = self.emulator.queue(self.name)
        sizes = [30 * MEBIBYTE, 30 * MEBIBYTE, 30 * MEBIBYTE, 33 * MEBIBYTE]  # as announced: room is made by that
        for (key, _, etag), size in zip(self.few, sizes):
            self.emulator.send(queue, subscriber_form(key, size, etag))
        self.fill(queue, self.few[4:])
        self.set({"operation": "S3.GET", "delay_ms": 2500})
        process = self.start(*self.arguments(queue, self.name, "--once", "--threads", "2", "--temp-dir", "spill"))
        self.until(lambda: self.emulator.referee()["s3_most"] >= FEW)
        in_memory, in_files = self.open_files(process)
        _, err = process.communicate(timeout=RUN_SECONDS_MAX)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual((in_memory, in_files), (2 + FEW - len(sizes), 2))
        self.assert_all_stored(queue)

    def test_through_tls_of_ones_own_and_a_proxy(self):
        files = certificate(self.folder)
        tls = Relay(int(self.emulator.url.rsplit(":", 1)[1]), files)
        proxy = Relay()
        self.addCleanup(tls.close)
        self.addCleanup(proxy.close)
        queue = self.queue()
        here = {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{tls.port}", "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        _, err = self.work(queue, status=1, **here)
        self.assertIn("certificate", err)
        proxy.connects.clear()
        self.work(queue, AWS_CA_BUNDLE=str(files[1]), NO_PROXY="127.0.0.1", **here)
        self.assertEqual(proxy.connects, [])
        self.assert_all_stored(queue)
        self.fill(queue, self.few)
        self.work(queue, AWS_CA_BUNDLE=str(files[1]), **here)
        self.assertEqual(set(proxy.connects), {f"127.0.0.1:{tls.port}"})
        self.assert_all_stored(queue)

    def test_an_outage_does_not_use_up_tries(self):
        self.survives({"operation": "S3.GET", "status": 503, "headers": XML, "body": xml("ServiceUnavailable", "later")})

    def test_keys_that_expire_and_are_not_renewed_at_once_do_not_either(self):
        self.survives({"operation": "S3.GET", "status": 400, "headers": XML, "body": xml("ExpiredToken", "The provided token has expired.")})

    def survives(self, outage):
        queue, dead = self.emulator.queue_with_dead_letters(self.name, 1)
        self.fill(queue, self.few)
        self.set(outage)
        process = self.start(*self.arguments(queue, self.name))
        self.until(lambda: len(self.seen("S3.GET")) > 0)
        time.sleep(6)
        self.set()
        self.until(lambda: self.emulator.waiting(queue) == (0, 0), 60)
        process.terminate()
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.emulator.waiting(dead), (0, 0))
        self.assert_all_stored(queue)


if __name__ == "__main__":
    unittest.main()
