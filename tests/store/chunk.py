"""Observations of a database from the file alone, packed ones too, by the format that
server/store/chunk.h publishes: what other tests hold the program against."""
import math
import struct

COLUMNS = ("entity_id", "ip", "spec_id", "model_id", "object_id", "unanswered", "first_ms", "last_ms", "count",
           "score", "percentile")
FORMATS = (1, 2, 3)  # what has no unanswered, what has no decimals, and today's
CHECK_BYTES = 8
DECIMALS, DIGITS_MAX = 16, 6
V4_MAPPED = bytes(10) + b"\xff\xff"


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self):
        value = shift = 0
        while True:
            byte = self.body[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self):
        value = self.number()
        return value >> 1 ^ -(value & 1)

    def bytes(self, length):
        self.at += length
        return self.body[self.at - length:self.at]

    def runs(self, count):
        ids = []
        while len(ids) < count:
            stored, run = self.number(), self.number()
            ids += [stored - 1 if stored else None] * run
        return ids

    def decimals(self, count, digits):
        numbers = [self.number() for _ in range(count)]
        return [None if number == 0 else ((number - 1) >> 1 ^ -((number - 1) & 1)) / 10 ** digits for number in numbers]

    def reals(self, count, form):
        width = self.number()
        if form == 3 and DECIMALS <= width <= DECIMALS + DIGITS_MAX:
            return self.decimals(count, width - DECIMALS)
        assert width in (4, 8), "scores of another width"
        values = struct.unpack(f"<{count}{'f' if width == 4 else 'd'}", self.bytes(width * count))
        return [None if math.isnan(value) else value for value in values]


def addresses(reader, entities):
    before, found = None, []
    for i, entity in enumerate(entities):
        value = reader.number()
        if value & 1:
            found.append(reader.bytes(16))
            before = None
            continue
        follows = before is not None and entities[i - 1] == entity
        before = ((value >> 1) + (before if follows else 0)) & 0xFFFFFFFF
        found.append(V4_MAPPED + before.to_bytes(4, "big"))
    return found


def rows_of(body):
    """The rows of a chunk, each a tuple of COLUMNS."""
    reader = Reader(body)
    form = reader.number()
    assert form in FORMATS, "a chunk of another format"
    count, entities, last = reader.number(), [], 0
    for _ in range(count):
        last += reader.number()
        entities.append(last)
    columns = [entities, addresses(reader, entities), *(reader.runs(count) for _ in range(3))]
    columns.append(reader.runs(count) if form >= 2 else [0] * count)
    first = reader.signed()
    begun = [first + reader.number() for _ in range(count)]
    columns += [begun, [began + reader.signed() for began in begun], [reader.number() for _ in range(count)],
                reader.reals(count, form), reader.reals(count, form)]
    assert reader.at == len(body) - CHECK_BYTES, "a chunk goes on behind its end"
    return list(zip(*columns))


def unpack(db):
    """Makes the temporary view every_observation: the columns of observation, from both tables."""
    db.execute("CREATE TEMP TABLE unpacked AS SELECT * FROM observation LIMIT 0")
    marks = ", ".join("?" * len(COLUMNS))
    for (body,) in db.execute("SELECT body FROM main.observation_chunk").fetchall():
        db.executemany(f"INSERT INTO unpacked ({', '.join(COLUMNS)}) VALUES ({marks})", rows_of(body))
    db.execute("CREATE TEMP VIEW every_observation AS SELECT * FROM main.observation UNION ALL"
               " SELECT * FROM unpacked")
