-- Ids are TEXT in the form that shared-core prints them (b7, m5, c8, hex), times are BIGINT unix milliseconds,
-- structures are TEXT with JSON in it, secrets are TEXT sealed by shared-io (`secrets`).

CREATE TABLE bots (
    pool         TEXT   NOT NULL,
    bot          TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    username     TEXT,
    priority     BIGINT NOT NULL,
    sealed_token TEXT   NOT NULL,
    added        BIGINT NOT NULL,
    retired      BIGINT,
    PRIMARY KEY (pool, bot)
);

CREATE TABLE logins (
    pool       TEXT   NOT NULL,
    bot        TEXT   NOT NULL,
    slot       TEXT   NOT NULL CHECK (slot IN ('a', 'b')),
    sealed_key TEXT   NOT NULL,
    dc_id      BIGINT NOT NULL,
    dc_addr    TEXT,
    made       BIGINT NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('live', 'resting', 'lost')),
    PRIMARY KEY (pool, bot, slot),
    FOREIGN KEY (pool, bot) REFERENCES bots (pool, bot)
);

CREATE TABLE channels (
    pool    TEXT   NOT NULL,
    channel TEXT   NOT NULL,
    role    TEXT   NOT NULL,
    rights  TEXT   NOT NULL,
    title   TEXT,
    added   BIGINT NOT NULL,
    retired BIGINT,
    PRIMARY KEY (pool, channel)
);

-- Epoch numbers up to `ceiling` have been given to a leader; `lineage` marks the Redis history that they are used in.
CREATE TABLE epochs (
    pool    TEXT   NOT NULL PRIMARY KEY,
    ceiling BIGINT NOT NULL,
    lineage TEXT
);

CREATE TABLE switches (
    id          TEXT   NOT NULL PRIMARY KEY,
    pool        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    from_bot    TEXT,
    to_bot      TEXT,
    from_worker TEXT,
    to_worker   TEXT,
    cause       TEXT   NOT NULL,
    timeline    TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    started     BIGINT NOT NULL,
    finished    BIGINT
);

CREATE INDEX switches_by_start ON switches (pool, started);

CREATE TABLE courses (
    id           TEXT   NOT NULL PRIMARY KEY,
    pool         TEXT   NOT NULL,
    member       TEXT   NOT NULL,
    conversation TEXT   NOT NULL,
    title        TEXT   NOT NULL,
    description  TEXT   NOT NULL,
    category     TEXT   NOT NULL,
    tags         TEXT   NOT NULL,
    submitted    BIGINT NOT NULL
);

CREATE INDEX courses_by_submission ON courses (pool, submitted);

-- `message` is the file's message id in the pool's storage channel.
CREATE TABLE course_files (
    course   TEXT   NOT NULL REFERENCES courses (id),
    position BIGINT NOT NULL,
    name     TEXT   NOT NULL,
    bytes    BIGINT NOT NULL,
    message  BIGINT NOT NULL,
    PRIMARY KEY (course, position)
);

CREATE TABLE decisions (
    id      TEXT   NOT NULL PRIMARY KEY,
    pool    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    plan    TEXT   NOT NULL,
    reasons TEXT   NOT NULL
);

CREATE INDEX decisions_by_time ON decisions (pool, at);

-- `pool` is empty for what concerns the deployment.
CREATE TABLE events (
    id      TEXT   NOT NULL PRIMARY KEY,
    pool    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    details TEXT   NOT NULL
);

CREATE INDEX events_by_time ON events (pool, at);
