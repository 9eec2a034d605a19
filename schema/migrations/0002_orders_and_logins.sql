-- Every login that was tried: Telegram limits them per bot, and who asks too often waits for hours.
CREATE TABLE login_attempts (
    id         TEXT   NOT NULL PRIMARY KEY,
    pool       TEXT   NOT NULL,
    bot        TEXT   NOT NULL,
    slot       TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    outcome    TEXT   NOT NULL,
    not_before BIGINT
);

CREATE INDEX login_attempts_by_time ON login_attempts (pool, bot, at);

-- What admins have ordered for a pool, until they take it back.
CREATE TABLE overrides (
    pool       TEXT   NOT NULL PRIMARY KEY,
    paused_at  BIGINT,
    paused_by  TEXT,
    pinned_bot TEXT,
    pinned_at  BIGINT,
    pinned_by  TEXT
);

-- `who` is a member (m5) or a user of the machine (cli:root), `via` the bot that was asked (b7) or cli.
CREATE TABLE admin_actions (
    id      TEXT   NOT NULL PRIMARY KEY,
    pool    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    who     TEXT   NOT NULL,
    via     TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    details TEXT   NOT NULL
);

CREATE INDEX admin_actions_by_time ON admin_actions (pool, at);

-- For those who follow all pools at once.
CREATE INDEX events_of_all ON events (at);
