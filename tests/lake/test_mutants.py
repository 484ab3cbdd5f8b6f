"""Damaged Parquet files, drawn from a seed: the program ends in time, with 0 or 1, and never by a
signal or a sanitizer's report. MUTANTS says how many, SEED which."""
import os
import random

import kit

COUNT = int(os.environ.get("MUTANTS", "400"))
SEED = int(os.environ.get("SEED", "1"))
BATCH = 20
FOOTER = 400
SELECT = """SELECT 4001 AS class_uid, 1764158400000 + i AS time,
    {'instance_uid': 'i-' || (i % 50), 'ip': '10.0.0.' || (i % 250)} AS src_endpoint,
    {'instance_uid': 'i-' || (i % 70), 'ip': '192.0.2.' || (i % 200)} AS dst_endpoint,
    {'account': {'uid': '111122223333'}, 'region': 'eu-west-1'} AS cloud, 'OK' AS status_code,
    [{'type': 'A', 'rdata': '192.0.2.' || (i % 9)}] AS answers, MAP {'k': 'v'} AS unmapped
    FROM range(3000) t(i)"""


def mutate(rng, data):
    data = bytearray(data)
    kind = rng.randrange(5)
    if kind == 0:
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 1:
        for _ in range(rng.randint(1, 8)):
            data[-1 - rng.randrange(min(FOOTER, len(data)))] = rng.randrange(256)
    elif kind == 2:
        start = rng.randrange(len(data))
        length = min(rng.randint(1, 4000), len(data) - start)
        data[start:start + length] = rng.randbytes(length)
    elif kind == 3:
        start = rng.randrange(len(data))
        del data[start:start + rng.randint(1, 2000)]
    else:
        start = rng.randrange(4, len(data))
        data[start:start] = rng.randbytes(rng.randint(1, 64))
    return bytes(data)


class Mutants(kit.Case):
    def test_mutants(self):
        rng = random.Random(SEED)
        originals = []
        for compression in ("zstd", "snappy", "gzip", "uncompressed"):
            path = self.copy(f"{compression}.parquet", SELECT,
                             f"FORMAT parquet, COMPRESSION {compression}, ROW_GROUP_SIZE 2048")
            with open(path, "rb") as file:
                originals.append(file.read())
        read = refused = 0
        for start in range(0, COUNT, BATCH):
            paths = [self.write(f"{i}.parquet", mutate(rng, rng.choice(originals)))
                     for i in range(start, min(start + BATCH, COUNT))]
            answer = kit.pairs("vpc-egress", *paths, options=("--spec", "dns-answer"))
            self.assertIn(answer.status, (0, 1), f"{paths[0]} …: {answer.errors}")
            self.assertNotIn("Sanitizer", answer.errors)
            told = [path for path in paths if f"pairwatch: {path}: " in answer.errors]
            self.assertEqual({p["object"] for p in answer.lines} & set(told), set())
            read += len(paths) - len(told)
            refused += len(told)
        self.assertEqual(read + refused, COUNT)
        self.assertGreater(refused, COUNT // 4)
