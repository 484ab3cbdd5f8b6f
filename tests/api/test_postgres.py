"""serve while its PostgreSQL goes away and comes back."""
import os
import subprocess
import unittest

from server import POSTGRES, Server, batch, score


def postgres(verb):
    subprocess.run([os.environ["TEST_POSTGRES_CTL"], verb], check=True, timeout=60)


if POSTGRES:

    class Restart(unittest.TestCase):
        def test_what_was_stored_stays_and_the_rest_is_sent_again(self):
            with Server() as server:
                caller, reader = server.client("ingest"), server.client("read")
                first, second = ({"Idempotency-Key": f'"{n}"'} for n in (1, 2))
                self.assertEqual(self.send(caller, "192.0.2.7", first), 200)
                postgres("stop")
                try:
                    reply = caller.raw("POST", "/api/v1/scores", b"{}",
                                       {"Content-Type": "application/json"})
                    self.assertEqual(reply.status, 503)
                    self.assertEqual(reader.raw("GET", "/api/v1/findings").status, 503)
                    self.assertEqual(reader.raw("GET", "/readyz").status, 503)
                    self.assertEqual(reader.raw("GET", "/healthz").status, 200)
                finally:
                    postgres("start")
                self.assertEqual(self.send(caller, "192.0.2.8", second), 200)
                self.assertEqual(self.send(caller, "192.0.2.7", first), 200)
                found = reader.get("/api/v1/findings").value["findings"]
                self.assertEqual(sorted((f["ip"], f["sightings"]) for f in found),
                                 [("192.0.2.7", 1), ("192.0.2.8", 1)])
                seqs = [c["seq"] for c in reader.get("/api/v1/changes?after=0").value["changes"]]
                self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
                self.assertEqual(reader.get("/readyz").status, 200)

        @staticmethod
        def send(caller, ip, headers):
            return caller.post("/api/v1/scores", batch(score(ip=ip, score=9.0)),
                               headers=headers).status


if __name__ == "__main__":
    unittest.main()
