"""What an operator does for the store while it serves: retention, archive, backup, check."""
import re
import subprocess
import time
import unittest
from datetime import datetime, timedelta, timezone

from server import BINARY, POSTGRES, Server, batch, score

WAIT_SECONDS_MAX = 30


def at(days_ago, minute=0):
    """Noon of a day in the past."""
    noon = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0)
    return (noon - timedelta(days=days_ago) + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def day_of(days_ago):
    return at(days_ago)[:10].replace("-", "")


class Life(unittest.TestCase):
    def setUp(self):
        self.server = Server().__enter__()
        self.archive = self.server.folder / "archive"
        self.archive.mkdir()

    def tearDown(self):
        self.server.__exit__(None, None, None)

    def post(self, days_ago, count=300, flagged=0):
        """Of a day: usual ones, and some above the threshold."""
        rows = [score(f"i-{i % 7:02}", f"198.51.100.{i % 200}", at(days_ago, i % 60), score=-2.5)
                for i in range(count)]
        rows += [score(f"i-{i:02}", f"203.0.113.{days_ago}", at(days_ago), score=3.5) for i in range(flagged)]
        reply = self.server.client("ingest").post("/api/v1/scores", batch(*rows))
        self.assertIn(reply.status, (200, 201))

    def restart(self, *arguments):
        self.assertEqual(self.server.stop(), 0)
        self.server.arguments = arguments
        self.server.start()

    def check(self, wanted=0):
        done = self.server.command("check", "store", check=False)
        self.assertEqual(done.returncode, wanted, done.stdout + done.stderr)
        return done.stdout

    def dry_run(self, *rules):
        text = self.server.command("retention", "--dry-run", *rules).stdout
        return {word: int(count) for word, count in re.findall(r"^(\S+) +(\d+) ", text, re.M)}

    def wait_until(self, true):
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not true():
            if time.monotonic() > deadline:
                self.fail(self.server.errors()[-2000:])
            time.sleep(0.1)

    def test_check_says_one_line_for_each_thing(self):
        self.post(1, flagged=3)
        lines = self.check().splitlines()
        self.assertGreaterEqual(len(lines), 10)
        for line in lines:
            self.assertRegex(line, r"^ok     [a-z]+ +\S")
        self.server.execute("UPDATE counter SET value = value + 1 WHERE name = 'observations'")
        self.assertRegex(self.check(wanted=1), r"(?m)^FAULT  counters +observations is 304")
        self.assertEqual(self.server.command("check", check=False).returncode, 2)
        self.assertEqual(self.server.command("check", "nonsense", check=False).returncode, 2)

    def test_a_dry_run_says_what_would_go_and_nothing_goes(self):
        self.post(40)
        self.post(1)
        rules = ("--keep-observations", "30d", "--keep-findings", "30d")
        for _ in range(2):
            self.assertEqual(self.dry_run(*rules)["observations"], 300)
        self.assertEqual(self.dry_run()["database"] > 0, True)
        self.assertIn("kept for good", self.server.command("retention", "--dry-run").stdout)

    def test_serve_lets_go_and_goes_on_answering(self):
        self.post(40, flagged=2)
        self.post(39)
        self.post(1)
        rules = ("--keep-observations", "30d")
        self.restart(*rules, "--retention-every", "1s", "--archive", str(self.archive))
        self.wait_until(lambda: self.dry_run(*rules)["observations"] == 0)
        self.wait_until(lambda: self.dry_run(*rules)["archive"] == 600)
        self.post(40)  # late, and gone again with the next pass
        self.wait_until(lambda: self.dry_run(*rules)["archive"] == 900)
        found = self.server.client("read").get("/api/v1/findings?limit=50").value["findings"]
        self.assertEqual(len(found), 2)
        seen = self.server.client("read").get(f"/api/v1/findings/{found[0]['id']}/sightings").value
        self.assertEqual(len(seen["sightings"]), 1)
        self.check()
        objects = sorted(self.archive.rglob("*.parquet"))
        days = {path.parent.name for path in objects}
        self.assertEqual(days, {f"eventDay={day_of(40)}", f"eventDay={day_of(39)}"})
        for path in objects:
            self.assertEqual(path.relative_to(self.archive).parts[:4],
                             ("ext", "pairwatch", "region=local", "accountId=external"))
            body = path.read_bytes()
            self.assertEqual((body[:4], body[-4:]), (b"PAR1", b"PAR1"))
        self.assertEqual([p for p in self.archive.iterdir() if p.name != "ext"], [])

    def run_on(self, database, *arguments, wanted=0):
        done = subprocess.run([str(BINARY), *arguments, "--database", database], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, wanted, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def imported(self, database, wanted=0):
        return self.run_on(database, "import", str(self.archive), wanted=wanted)

    def test_what_was_archived_comes_back_in_another_database(self):
        self.post(40)
        self.post(39)
        self.server.client("ingest").post("/api/v1/scores", batch(
            score('i-"quoted", \u00e9', "2001:db8::7", at(39), score=-0.1, count=3), model="outside-2"))
        self.post(0, count=1)  # the newest row of all stays
        self.server.command("retention", "--keep-observations", "30d", "--archive", str(self.archive))
        self.assertEqual(self.dry_run()["archive"], 601)
        other = f"sqlite:{self.server.folder}/other.db"
        self.assertIn(" 601 observations that were not here", self.imported(other))
        self.assertIn(" 0 observations that were not here", self.imported(other))
        self.assertIn("ok     rollups", self.run_on(other, "check", "store"))
        self.assertIn("left this database", self.imported(self.server.database, wanted=1))
        broken = next(self.archive.rglob("*.parquet"))
        broken.write_bytes(broken.read_bytes()[:-9])
        third = f"sqlite:{self.server.folder}/third.db"
        self.assertIn("is no object of an archive", self.imported(third, wanted=1))

    def test_a_database_that_is_too_large_loses_its_oldest_days(self):
        for days in range(12, 2, -1):
            self.post(days, count=2000)
        self.post(0, flagged=1)
        before = self.server.command("retention", "--dry-run").stdout
        used = int(re.search(r"database +(\d+) bytes", before).group(1))
        done = self.server.command("retention", "--database-bytes-max", str(used - 100 * 1024))
        gone = int(re.search(r"^observations +(\d+)", done.stdout, re.M).group(1))
        self.assertGreaterEqual(gone, 2000)
        self.assertEqual(gone % 2000, 0)
        self.assertLess(gone, 10 * 2000)
        self.check()

    def test_an_archive_that_fails_keeps_everything(self):
        self.post(40)
        self.post(0)
        done = self.server.command("retention", "--keep-observations", "30d", "--archive", "/nonexistent",
                                   check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("make it first", done.stderr)
        self.assertEqual(self.dry_run("--keep-observations", "30d")["observations"], 300)
        (self.archive / "ext").write_text("in the way")
        done = self.server.command("retention", "--keep-observations", "30d", "--archive", str(self.archive),
                                   check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ext", done.stderr)
        self.check()
        (self.archive / "ext").unlink()
        self.server.command("retention", "--keep-observations", "30d", "--archive", str(self.archive))
        self.assertEqual(self.dry_run()["archive"], 300)
        self.check()

    def test_a_backup_comes_back(self):
        self.post(1, flagged=4)
        folder = self.server.folder / "copies"
        folder.mkdir()
        done = self.server.command("backup", "--backup-dir", str(folder), check=False)
        if POSTGRES:
            self.assertEqual(done.returncode, 1)
            self.assertIn("pg_dump", done.stderr)
            return
        self.assertEqual(done.returncode, 0, done.stderr)
        manifest = done.stdout.strip()
        self.post(0)
        again = self.server.command("restore", manifest, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is not overwritten", again.stderr)
        self.server.stop()
        lost = self.server.folder / "lost"
        lost.mkdir()
        for path in self.server.folder.glob("test.db*"):
            path.rename(lost / path.name)
        self.assertIn("is what it was at", self.server.command("restore", manifest).stdout)
        self.check()
        self.server.start()
        self.assertEqual(len(self.server.client("read").get("/api/v1/findings").value["findings"]), 4)
        time.sleep(1.1)  # a copy is named by the second
        self.server.command("backup", "--backup-dir", str(folder), "--backup-keep", "1")
        self.assertEqual(len(list(folder.iterdir())), 2)
        self.assertFalse((self.server.folder / manifest).exists())


if __name__ == "__main__":
    unittest.main()
