-- What Redis holds of a pool, copied all the time. One row a pool: whose writes count (`writer`, the first epoch number of the leader's
-- block, so it only grows), of which Redis history (`lineage`) it is, how many times it was brought up to date (`turn`), and up to which moment
-- of Redis' clock everything is here (`at`, empty until a first whole copy is). `place` is JSON: cursors, and who answered.
CREATE TABLE checkpoints (
    pool    TEXT   NOT NULL PRIMARY KEY,
    writer  BIGINT NOT NULL,
    lineage TEXT   NOT NULL,
    turn    BIGINT NOT NULL,
    at      BIGINT,
    place   TEXT   NOT NULL
);

-- `stored` is the envelope as it stands in Redis, `version` the number in front of it; `open_at` is empty for one that is over.
CREATE TABLE checkpoint_conversations (
    pool         TEXT   NOT NULL,
    conversation TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    stored       TEXT   NOT NULL,
    open_at      BIGINT,
    PRIMARY KEY (pool, conversation)
);

-- Entries of streams (`outbox`, `records`, `held:b7`) by their position, and of lists (`parked:m5`) by their order.
CREATE TABLE checkpoint_entries (
    pool  TEXT   NOT NULL,
    queue TEXT   NOT NULL,
    ms    BIGINT NOT NULL,
    seq   BIGINT NOT NULL,
    body  TEXT   NOT NULL,
    PRIMARY KEY (pool, queue, ms, seq)
);

-- Which members a bot may write to; `member` is the bare number, as in Redis.
CREATE TABLE checkpoint_reach (
    pool   TEXT   NOT NULL,
    bot    TEXT   NOT NULL,
    member BIGINT NOT NULL,
    PRIMARY KEY (pool, bot, member)
);

-- The marks of all Redis histories that a pool has had: an older one of ours is told from somebody else's.
CREATE TABLE lineages (
    pool    TEXT   NOT NULL,
    lineage TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (pool, lineage)
);

INSERT INTO lineages (pool, lineage, since) SELECT pool, lineage, 0 FROM epochs WHERE lineage IS NOT NULL;
