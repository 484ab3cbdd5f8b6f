"""Running the program on files, and writing files for it."""
import json
import os
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("PAIRWATCH_BINARY", os.path.join(TOP, "build/release/pairwatch"))
SQL = os.path.join(TOP, "build/tests/lake_sql")
REFERENCE = os.environ.get("PAIRWATCH_REFERENCE_DATA", os.path.join(TOP, "../shared/data"))
SECONDS_MAX = 120
SPECS = ("vpc-ingress", "vpc-egress", "dns-answer", "cloudtrail-principal", "eks-user",
         "waf-client", "workshop")


class Answer:
    def __init__(self, done):
        self.status = done.returncode
        self.errors = done.stderr
        self.lines = [json.loads(line) for line in done.stdout.splitlines()]

    def pairs(self, path=None):
        """Of one object or of all, without what depends on where it lies."""
        return [(p["time"], p["entity"], p["ip"], p["count"], p["account"], p["region"],
                 p.get("rejected", False)) for p in self.lines if path in (None, p["object"])]

    def unscored(self):
        counts = {}
        for line in self.errors.splitlines():
            words = line.replace(",", " ").split()
            if words[:1] == ["unscored"]:
                counts[words[1]] = int(words[2])
        return counts


def pairs(spec, *paths, options=(), env=None):
    command = [BINARY, "pairs", "--spec", spec, *options, "--", *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX,
                          env={**os.environ, **(env or {})})
    return Answer(done)


def sql(*statements):
    subprocess.run([SQL, *statements], check=True, timeout=SECONDS_MAX)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pairwatch-lake-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(self.path(name), mode) as file:
            file.write(content)
        return self.path(name)

    def copy(self, name, select, options="FORMAT parquet, COMPRESSION zstd"):
        """A Parquet file of what the SELECT gives."""
        sql(f"COPY ({select}) TO '{self.path(name)}' ({options})")
        return self.path(name)
