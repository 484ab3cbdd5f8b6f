"""What must hold in any database of pairwatch, checked from the file alone.

    python3 tests/store/audit.py FILE

Counters equal recounts, every reference leads somewhere, the feed has no gap, and the chain of
changes is recomputed here by its published formula: SHA-256 over the hash before (32 zero bytes
for the first), then seq, time and kind as 64-bit big-endian numbers, the actor with a NUL, the
finding's number (-2^63 for none), and the body with a NUL."""
import hashlib
import json
import sqlite3
import struct
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import chunk  # noqa: E402

HOUR_MS = 3600 * 1000
BINS, LOW, WIDTH = 256, -64.0, 0.5
NO_FINDING = -(2**63)
RESOLVED, FINDING_UPDATED, FINDING_SIGHTED, FINDING_CREATED = 3, 2, 1, 0
LET_GO = 10


def counter(db, name):
    row = db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def start_of_chain(db):
    """What was let go of: the last seq, and the hash that the next one follows."""
    return db.execute("SELECT seq, hash FROM change_start").fetchone() or (0, bytes(32))


def check_chain(db):
    wanted, previous = start_of_chain(db)
    wanted += 1
    for seq, time, kind, actor, finding, body, found in db.execute(
        "SELECT seq, time_ms, kind, actor, finding_id, body, hash FROM change ORDER BY seq"
    ):
        if seq != wanted:
            yield f"the feed goes from {wanted - 1} to {seq}"
            return
        head = struct.pack(">qqq", seq, time, kind) + actor.encode() + b"\0"
        tail = struct.pack(">q", NO_FINDING if finding is None else finding) + body.encode() + b"\0"
        previous = hashlib.sha256(previous + head + tail).digest()
        if previous != found:
            yield f"the hash of change {seq} does not follow"
            return
        wanted += 1


def bin_of(score):
    return min(max(int((score - LOW) // WIDTH), 0), BINS - 1)


def check_rollups(db):
    counted = defaultdict(lambda: [0, 0, 0, Counter()])
    for last, spec, model, count, finding, score in db.execute(
        "SELECT last_ms, spec_id, model_id, count, finding_id, score FROM every_observation"
    ):
        row = counted[last - last % HOUR_MS, spec, model]
        row[0] += 1
        row[1] += count
        row[2] += finding is not None
        row[3][bin_of(score)] += 1
    stored = {}
    for hour, spec, model, observations, events, flagged, histogram in db.execute(
        "SELECT hour_ms, spec_id, model_id, observations, events, flagged, histogram FROM rollup_hour"
    ):
        bins = struct.unpack(f"<{BINS}I", histogram)
        stored[hour, spec, model] = [observations, events, flagged,
                                     Counter({i: n for i, n in enumerate(bins) if n})]
    whole_since = counter(db, "whole_since_ms")
    for key in sorted(set(counted) | set(stored)):
        have, want = counted.get(key), stored.get(key)
        if key[0] < whole_since:  # observations of such an hour may have been let go of
            if have and want and (any(a > b for a, b in zip(have[:3], want[:3])) or have[3] - want[3]):
                yield f"rollup {key} holds less than its observations"
        elif have != want:
            yield f"rollup {key} holds {want}, its observations make {have}"
    for name in ("observations", "flagged"):
        (total,) = db.execute(f"SELECT COALESCE(SUM({name}), 0) FROM rollup_hour").fetchone()
        if counter(db, name) != total + counter(db, f"{name}_gone"):
            yield f"the counter {name} is {counter(db, name)}, the rollups hold {total}"


def check_findings(db):
    for row in db.execute(
        "SELECT f.id, f.sightings - COUNT(o.id), f.observations - SUM(o.count),"
        " f.first_seen_ms - MIN(o.first_ms), f.last_seen_ms - MAX(o.last_ms),"
        " SUM(o.entity_id <> f.entity_id OR o.ip <> f.ip OR o.spec_id <> f.spec_id)"
        " FROM finding f LEFT JOIN observation o ON o.finding_id = f.id GROUP BY f.id"
    ):
        if any(row[1:]):
            yield f"finding {row[0]} and its sightings differ by {row[1:]}"
    for finding, seq, last in db.execute(
        "SELECT f.id, f.seq, MAX(c.seq) FROM finding f LEFT JOIN change c ON c.finding_id = f.id"
        " GROUP BY f.id"
    ):
        if seq != (last or seq) or (last is None and seq > start_of_chain(db)[0]):
            yield f"finding {finding} is at seq {seq}, its last change is {last}"


STATUS_WORDS = ("new", "in_progress", "suppressed", "resolved")


def check_history(db):
    """The changes of a finding, played from the start, end in what it is now."""
    state, begun, gone = {}, set(), set()
    for (body,) in db.execute("SELECT body FROM change WHERE kind = ?", (LET_GO,)):
        gone.add(json.loads(body).get("finding"))
    for finding, kind, body in db.execute(
        "SELECT finding_id, kind, body FROM change WHERE finding_id IS NOT NULL ORDER BY seq"
    ):
        change = json.loads(body)
        if kind == FINDING_CREATED:
            begun.add(finding)
        if finding not in begun and start_of_chain(db)[0] > 0:
            continue  # its beginning was let go of
        now = state.setdefault(finding, {"status": "new", "version": 0})
        if kind in (FINDING_CREATED, FINDING_SIGHTED, FINDING_UPDATED):
            now["version"] += 1
        if isinstance(change.get("status"), dict):
            if change["status"]["old"] != now["status"]:
                yield f"a change of finding {finding} starts from {change['status']['old']}"
            now["status"] = change["status"]["new"]
    for finding, status, version in db.execute("SELECT id, status, version FROM finding"):
        now = state.pop(finding, None)
        if now is None and start_of_chain(db)[0] > 0:
            continue
        if now != {"status": STATUS_WORDS[status], "version": version}:
            yield f"finding {finding} is {STATUS_WORDS[status]} at {version}, its history says {now}"
    for finding in gone:
        state.pop(finding, None)
    if state:
        yield f"changes of findings that are not there: {sorted(state)[:3]}"


def check_references(db):
    for table, column, to in (
        ("every_observation", "entity_id", "entity"), ("every_observation", "spec_id", "spec"),
        ("every_observation", "model_id", "model"), ("every_observation", "object_id", "object"),
        ("every_observation", "finding_id", "finding"), ("rollup_hour", "spec_id", "spec"),
        ("rollup_hour", "model_id", "model"),
    ):
        (lost,) = db.execute(
            f"SELECT COUNT(*) FROM {table} WHERE {column} IS NOT NULL"
            f" AND {column} NOT IN (SELECT id FROM {to})"
        ).fetchone()
        if lost and not (to == "object" and counter(db, "objects_gone") > 0):
            yield f"{lost} rows of {table} have a {column} that leads nowhere"
    for row in db.execute("PRAGMA foreign_key_check"):
        yield f"foreign key: {row}"


def check_ledger(db):
    for key, scored, stored, error in db.execute(
        "SELECT o.key, o.scored, COUNT(b.entity_id), o.error_code FROM object o"
        " LEFT JOIN every_observation b ON b.object_id = o.id GROUP BY o.id"
    ):
        if counter(db, "whole_since_ms") > 0:
            if stored > scored:
                yield f"object {key} has {stored} observations, the ledger says {scored}"
        elif stored != (0 if error else scored):
            yield f"object {key} has {stored} observations, the ledger says {scored} ({error})"


def check_engine(db):
    for (line,) in db.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"integrity: {line}"


CHECKS = (check_engine, check_chain, check_rollups, check_findings, check_history,
          check_references, check_ledger)


def faults(path):
    """Every rule that does not hold, as one line each; empty when the database is sound."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        db.execute("BEGIN")
        chunk.unpack(db)
        return [fault for check in CHECKS for fault in check(db)]
    finally:
        db.close()


if __name__ == "__main__":
    found = faults(sys.argv[1])
    print("\n".join(found) or "sound")
    sys.exit(bool(found))
