-- name: USER_BY_NAME
SELECT id, name, password_hash, role, disabled, must_change_password, created_ms AS created,
       last_sign_in_ms AS last_sign_in
  FROM "user" WHERE name = $1;

-- name: USER_LIST
SELECT id, name, password_hash, role, disabled, must_change_password, created_ms AS created,
       last_sign_in_ms AS last_sign_in
  FROM "user" ORDER BY name LIMIT $1;

-- name: USER_COUNT
SELECT COUNT(*) FROM "user";

-- name: USER_OTHER_ADMINS
SELECT COUNT(*) FROM "user" WHERE role = $1 AND disabled = 0 AND id <> $2;

-- name: USER_INSERT
-- mode: write
INSERT INTO "user" (name, password_hash, role, disabled, must_change_password, created_ms)
VALUES ($1, $2, $3, 0, $4, $5);

-- name: USER_UPDATE
-- mode: write
UPDATE "user" SET password_hash = $1, role = $2, disabled = $3, must_change_password = $4
 WHERE id = $5;

-- name: USER_SIGNED_IN
-- mode: write
UPDATE "user" SET last_sign_in_ms = $1 WHERE id = $2;

-- name: SESSION_GET
SELECT s.user_id, u.name, u.role, u.must_change_password, s.csrf, s.expires_ms AS expires
  FROM session s JOIN "user" u ON u.id = s.user_id
 WHERE s.digest = $1 AND s.expires_ms > $2 AND u.disabled = 0;

-- name: SESSION_INSERT
-- mode: write
INSERT INTO session (digest, user_id, csrf, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5);

-- name: SESSION_DELETE
-- mode: write
DELETE FROM session WHERE digest = $1;

-- name: SESSION_DELETE_OF_USER
-- mode: write
DELETE FROM session WHERE user_id = $1 AND digest <> $2;

-- name: SESSION_PURGE
-- mode: write
DELETE FROM session WHERE expires_ms <= $1;

-- name: TOKEN_BY_DIGEST
SELECT id, name, role, prefix, created_ms AS created, last_used_ms AS last_used,
       expires_ms AS expires, revoked
  FROM token WHERE digest = $1 AND revoked = 0 AND (expires_ms > $2 OR expires_ms IS NULL);

-- name: TOKEN_LIST
SELECT id, name, role, prefix, created_ms AS created, last_used_ms AS last_used,
       expires_ms AS expires, revoked
  FROM token ORDER BY token.id DESC LIMIT $1;

-- name: TOKEN_FIND
SELECT id, name, role, prefix, created_ms AS created, last_used_ms AS last_used,
       expires_ms AS expires, revoked
  FROM token WHERE revoked = 0 AND (token.id = $1 OR ($1 = 0 AND name = $2));

-- name: TOKEN_INSERT
-- mode: write
INSERT INTO token (name, role, prefix, digest, created_ms, expires_ms, revoked)
VALUES ($1, $2, $3, $4, $5, $6, 0) RETURNING id;

-- name: TOKEN_REVOKE
-- mode: write
UPDATE token SET revoked = 1 WHERE id = $1;

-- name: TOKEN_USED
-- mode: write
UPDATE token SET last_used_ms = $1 WHERE id = $2 AND (last_used_ms < CAST($1 AS BIGINT) - $3 OR last_used_ms IS NULL);
