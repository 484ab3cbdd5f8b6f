-- name: WORKER_PUT
-- mode: write
INSERT INTO worker (uid, host, queue, version, started_ms, seen_ms, in_flight)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (uid) DO UPDATE SET seen_ms = excluded.seen_ms, in_flight = excluded.in_flight;

-- name: WORKER_FORGET
-- mode: write
DELETE FROM worker WHERE seen_ms < $1 OR uid = $2;

-- name: WORKER_LIST
SELECT uid, host, queue, version, started_ms AS started, seen_ms AS seen, in_flight
  FROM worker WHERE seen_ms >= $1 ORDER BY started_ms DESC, uid LIMIT $2;
