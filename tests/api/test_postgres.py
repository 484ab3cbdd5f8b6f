"""serve while its PostgreSQL goes away and comes back."""
import os
import random
import sqlite3
import subprocess
import time
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

    class Copy(unittest.TestCase):
        """migrate --to, killed again and again in the middle."""

        ROWS = 250000  # more than two slices

        def test_a_killed_copy_goes_on_and_nothing_opens_it_before(self):
            with Server() as server:  # for its schema, which is emptied
                server.stop()
                source = server.folder / "source.db"
                self.make(server, source)
                server.execute("SET client_min_messages = warning;"
                               f" DROP SCHEMA {server.schema} CASCADE")
                server.execute(f"CREATE SCHEMA {server.schema}")
                kills, deadline = 0, time.monotonic() + 60
                chance = random.Random(int(os.environ.get("SEED", "1")))
                while (done := self.copy(server, source, chance.uniform(0.1, 1) * (kills + 1))) is None:
                    kills += 1
                    self.assertLess(time.monotonic(), deadline)
                    if self.there(server):
                        refused = server.command("user", "list", check=False)
                        self.assertEqual(refused.returncode, 1)
                        self.assertIn("migrate --to", refused.stderr)
                self.assertGreater(kills, 0)
                self.assertEqual(done[0], 0, done[1])
                self.assertRegex(done[1], rf"observation +{self.ROWS} rows")
                server.start()
                self.assertEqual(server.client("read").get("/readyz").status, 200)

        def make(self, server, source):
            subprocess.run([server.binary, "migrate", "--database", f"sqlite:{source}"], check=True,
                           capture_output=True)
            with sqlite3.connect(source) as db:
                db.execute("INSERT INTO entity (uid) VALUES ('i-1')")
                db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                           f" WHERE i < {self.ROWS}) INSERT INTO observation (entity_id, ip, spec_id,"
                           " model_id, first_ms, last_ms, count, score)"
                           " SELECT 1, zeroblob(16), 1, 1, i, i, 1, 0.5 FROM n")
            db.close()

        @staticmethod
        def copy(server, source, seconds):
            """Exit code and what was printed; None when it was killed after so long."""
            process = subprocess.Popen(
                [server.binary, "migrate", "--database", f"sqlite:{source}", "--to", server.database],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                said, _ = process.communicate(timeout=seconds)
                return process.returncode, said
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return None

        @staticmethod
        def there(server):
            """Whether the copy has begun."""
            found = subprocess.run(
                ["psql", "-qXAt", server.database, "-c", "SELECT count(*) FROM schema_migration"
                 " WHERE name = 'unfinished copy'"], capture_output=True, text=True)
            return found.stdout.strip() == "1"


if __name__ == "__main__":
    unittest.main()
