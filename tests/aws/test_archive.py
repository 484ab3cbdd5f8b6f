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
        seen = self.emulator.referee()
        self.assertEqual(seen["refused"], [])
        puts = [each for each in seen["log"] if each["operation"] == "S3.PUT"]
        self.assertEqual(len(puts), objects + 3)  # as many were tried again


if __name__ == "__main__":
    unittest.main()
