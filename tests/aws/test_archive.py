"""Old observations go to S3 as Parquet before they are gone, whatever S3 does meanwhile."""
import re
import sqlite3
import unittest

from kit import BUCKET, Lake


class Archive(Lake):
    DAYS = 5

    def counts(self):
        with sqlite3.connect(self.folder / "a.db") as db:
            return db.execute("SELECT COUNT(*), COALESCE(SUM(rows), 0), COUNT(body) FROM archive").fetchone()

    def test_retention_to_s3(self):
        self.run_program("work", "--queue", "dir:lake", "--scorer", "model:m.model", "--database", "sqlite:a.db",
                         "--once")
        slow_down = {"operation": "S3.PUT", "after": 2, "times": 2, "status": 503,
                     "body": "<Error><Code>SlowDown</Code></Error>"}
        self.emulator.set(rules=[slow_down, {"operation": "S3.PUT", "after": 6, "times": 1, "close": True}])
        try:
            out, _ = self.run_program("retention", "--database", "sqlite:a.db", "--keep-observations", "1d",
                                      "--archive", f"s3://{BUCKET}/old")
        finally:
            self.emulator.set(rules=[])
        gone = int(re.search(r"^observations +(\d+)", out, re.M).group(1))
        objects, rows, pending = self.counts()
        self.assertGreater(gone, 1000)
        self.assertEqual((rows, pending), (gone, 0))
        self.assertGreater(objects, 2)
        with sqlite3.connect(self.folder / "a.db") as db:
            paths = [path for (path,) in db.execute("SELECT path FROM archive")]
        copies = self.folder / "copies"
        for path in paths:
            self.assertRegex(path, rf"^s3://{BUCKET}/old/ext/pairwatch/region=eu-west-1/accountId=external/"
                                   r"eventDay=\d{8}/observations-\d+-\d+\.zst\.parquet$")
            key = path.removeprefix(f"s3://{BUCKET}/")
            body, _ = self.emulator.ask(f"{self.emulator.s3_url}/{BUCKET}/{key}", "GET")
            (copies / key).parent.mkdir(parents=True, exist_ok=True)
            (copies / key).write_bytes(body)
        back, _ = self.run_program("import", "copies", "--database", "sqlite:b.db")
        self.assertIn(f" {gone} observations that were not here", back)
        self.from_s3(gone, paths)
        seen = self.emulator.referee()
        self.assertEqual(seen["refused"], [])
        puts = [each for each in seen["log"] if each["operation"] == "S3.PUT"]
        self.assertEqual(len(puts), objects + 3)  # as many were tried again

    def from_s3(self, gone, paths):
        """All of it, a prefix of it, one object; what was brought in before, what is none, what may not be listed."""
        place = f"s3://{BUCKET}/old"
        self.emulator.put("older/a.parquet", b"not of the archive")
        self.emulator.put("old/notes + more.txt", b"not of the archive either")
        out, _ = self.run_program("import", place, "--database", "sqlite:c.db")
        self.assertIn(f"{len(paths)} objects, {gone} observations that were not here", out)
        out, _ = self.run_program("import", paths[0], paths[0].rsplit("/", 1)[0] + "/", "--database", "sqlite:c.db")
        self.assertRegex(out, r"^[2-9] objects, 0 observations")
        _, err = self.run_program("import", place, "--database", "sqlite:a.db", status=1)
        self.assertIn("left this database", err)
        self.emulator.put("old/b & <ü>.parquet", b"damaged")
        _, err = self.run_program("import", f"{place}/b & <ü>.parquet", "--database", "sqlite:c.db", status=1)
        self.assertIn("b & <ü>.parquet", err)
        _, err = self.run_program("import", f"s3://{BUCKET}/nothing", "--database", "sqlite:c.db", status=1)
        self.assertIn("no object of an archive", err)
        self.emulator.set(rules=[{"operation": "S3.GET", "path": "list-type", "status": 403,
                                  "body": "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"}])
        _, err = self.run_program("import", place, "--database", "sqlite:c.db", status=1)
        self.assertIn("s3:ListBucket is needed", err)
        self.emulator.set(rules=[])
        self.pages(place)

    def pages(self, place):
        """More keys than S3 names at once."""
        for number in range(1001):
            self.emulator.put(f"many/{number:04}", b"")
        self.emulator.put("many/last.parquet", b"damaged")
        _, err = self.run_program("import", f"s3://{BUCKET}/many/", "--database", "sqlite:c.db", status=1)
        self.assertIn("many/last.parquet", err)
        lists = [each for each in self.emulator.referee()["log"] if "prefix=many" in each["url"]]
        self.assertEqual(len(lists), 2)


if __name__ == "__main__":
    unittest.main()
