"""How fast a worker is on SQS and S3, against the bare cost of fetching and reading the same objects with DuckDB; and
how much memory it takes on objects of a million rows. SQS and S3 by an emulator, which shares the machine."""
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from temp import temp_folder  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "aws"))

BARE = ROOT / "build" / "release" / "tests" / "load" / "bare_read"
SQL = ROOT / "build" / "tests" / "lake_sql"
THREADS = 2
ENTITIES, DAYS = 5000, 4
RUNS = 3
BIG_ROWS, BIG_OBJECTS = 1000000, 32
SEND_MAX = 10  # messages that SQS takes at once
POLL_SECONDS = 0.05
PART_BYTES = 8 << 20
SECONDS_MAX = 300
# What the specs of VPC flows read.
COLUMNS = ("class_uid, time, src_endpoint.ip, src_endpoint.instance_uid, dst_endpoint.ip, dst_endpoint.instance_uid,"
           " connection_info.tcp_flags, connection_info.protocol_num, action_id, activity_id, status_code, cloud.account.uid,"
           " cloud.region")


class World:
    """An emulator in a process of its own, filled with flows, and a model of them."""

    def __init__(self):
        from kit import BUCKET, Emulator, Service
        self.folder = temp_folder("bench-aws")
        self.service = Service("fauxqs", "")
        self.emulator = Emulator({"sqs": self.service.port, "s3": self.service.port})
        self.bucket = BUCKET
        self.emulator.make_bucket()

    def close(self):
        self.emulator.close()
        self.service.kill()
        shutil.rmtree(self.folder)

    def url(self, key):
        return f"{self.emulator.s3_url}/{self.bucket}/{urllib.parse.quote(key)}"

    def put(self, key, body):
        """In parts: the emulator takes no large request."""
        def ask(method, query, data=b""):
            request = urllib.request.Request(f"{self.url(key)}?{query}", data=data, method=method,
                                             headers={"Content-Type": "application/octet-stream"})
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.read(), reply.headers

        upload = next(each.text for each in xml.etree.ElementTree.fromstring(ask("POST", "uploads")[0]).iter()
                      if each.tag.endswith("UploadId"))
        parts = ""
        for number, at in enumerate(range(0, len(body), PART_BYTES), 1):
            etag = ask("PUT", f"partNumber={number}&uploadId={upload}", body[at:at + PART_BYTES])[1]["ETag"]
            parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        done, _ = ask("POST", f"uploadId={upload}", f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode())
        etag = next(each.text for each in xml.etree.ElementTree.fromstring(done).iter() if each.tag.endswith("ETag"))
        return key, len(body), etag.strip('"')

    def environment(self):
        from kit import KEY_ID, REGION, SECRET
        return os.environ | {"AWS_ENDPOINT_URL": self.emulator.s3_url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID,
                             "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}

    def send(self, queue, objects):
        """By tens, as a queue holds them that has a backlog: the first question is answered with as many."""
        from kit import subscriber_form
        for at in range(0, len(objects), SEND_MAX):
            entries = [{"Id": str(number), "MessageBody": json.dumps(subscriber_form(*each))}
                       for number, each in enumerate(objects[at:at + SEND_MAX])]
            self.emulator.sqs("SendMessageBatch", QueueUrl=queue, Entries=entries)

    def served(self):
        """Seconds of processors that the emulator took so far."""
        return processor_seconds(self.service.process.pid)

    def work(self, name, objects):
        """Seconds from the first message sent to the last deleted, those of processors, of the emulator's, and the bytes of
        memory at most."""
        from kit import BINARY
        queue = self.emulator.queue(name)
        process = subprocess.Popen([BINARY, "work", "--queue", f"sqs:{queue}", "--scorer", f"model:{self.folder}/m.model",
                                    "--database", f"sqlite:{self.folder}/{name}.db", "--threads", str(THREADS)],
                                   env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1.5)  # it is up and waiting
        used, served, began = processor_seconds(process.pid), self.served(), time.monotonic()
        self.send(queue, objects)
        while self.emulator.waiting(queue) != (0, 0):
            if time.monotonic() - began > SECONDS_MAX or process.poll() is not None:
                sys.exit("bench: the worker does not get through")
            time.sleep(POLL_SECONDS)
        seconds, used = time.monotonic() - began, processor_seconds(process.pid) - used
        served = self.served() - served
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
        process.wait(30)
        return seconds, used, served, int(status.split("VmHWM:")[1].split()[0]) * 1024

    def bare(self, objects):
        """Rows, seconds, seconds of processors, and of the emulator's."""
        served = self.served()
        done = subprocess.run([BARE, str(THREADS), COLUMNS], input="".join(self.url(key) + "\n" for key, _, _ in objects),
                              env=os.environ | {"PAIRWATCH_DUCKDB": self.duckdb()}, capture_output=True, text=True, check=True)
        rows, seconds, used = done.stdout.split()
        return int(rows), float(seconds), float(used), self.served() - served

    @staticmethod
    def duckdb():
        return str(next((ROOT / "deploy" / "duckdb" / "node_modules" / "@duckdb").glob("*/libduckdb.so")))


def processor_seconds(pid):
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def compare(world, name, objects, show):
    bare, work = [], []
    for number in range(RUNS):  # by turns, so that both meet the same machine
        bare.append(world.bare(objects))
        work.append(world.work(f"{name}{number}", objects))
    rows = bare[0][0]
    bare_s, bare_used = min(each[1] for each in bare), min(each[2] for each in bare)
    work_s, work_used = min(each[0] for each in work), min(each[1] for each in work)
    print(f"\n{len(objects)} objects, {rows} rows, {sum(size for _, size, _ in objects) / 1e6:.1f} MB, {THREADS} threads,"
          f" best of {RUNS}")
    show("objects fetched and read, bare", len(objects) / bare_s, "/s")
    show("objects worked from SQS and S3", len(objects) / work_s, "/s", bare_s / work_s, "bare")
    show("rows fetched and read, bare", rows / bare_s, "rows/s")
    show("rows worked from SQS and S3", rows / work_s, "rows/s", bare_s / work_s, "bare")
    show("rows a processor second, bare", rows / bare_used, "rows/s")
    show("rows a processor second, worked", rows / work_used, "rows/s", bare_used / work_used, "bare")
    show("the emulator's processor seconds, bare", min(each[3] for each in bare), "s")
    show("the emulator's processor seconds, worked", min(each[2] for each in work), "s")
    show("memory of the worker at most", max(each[3] for each in work) / 1e6, "MB")


def make_big(world, source):
    """Objects of a million rows, of the same flows over and over at other times."""
    target = world.folder / "big.parquet"
    subprocess.run([SQL, f"COPY (SELECT f.* REPLACE (f.time + (n.range % 3600) * 1000 AS time) FROM range(200) n,"
                    f" (SELECT * FROM read_parquet('{source}', hive_partitioning = false) LIMIT 50000) f LIMIT {BIG_ROWS}) TO '{target}'"
                    " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"],
                   env=os.environ | {"PAIRWATCH_DUCKDB": world.duckdb()}, check=True)
    body = target.read_bytes()
    key = "aws/VPC_FLOW/2.0/region=eu-west-1/accountId=123456789012/eventDay=20261101/{}.gz.parquet"
    return [world.put(key.format(f"{n:032x}"), body) for n in range(BIG_OBJECTS)]


def bench_aws(run, show):
    subprocess.run([ROOT / "tests" / "lake" / "build_sql"], check=True, stdout=subprocess.DEVNULL)
    world = World()
    try:
        lake = world.folder / "lake"
        run("simulate", "--entities", ENTITIES, "--days", DAYS, "--seed", 5, "--out", lake)
        run("train", "--out", world.folder / "m.model", lake)
        paths = sorted((lake / "aws" / "VPC_FLOW").rglob("*.parquet"))
        compare(world, "flows", [world.put(str(path.relative_to(lake)), path.read_bytes()) for path in paths], show)
        compare(world, "big", make_big(world, paths[0]), show)
    finally:
        world.close()
