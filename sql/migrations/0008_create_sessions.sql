-- One row: the balance of one collector session (promise 4), as it last stood. Written by the processor, read by the api (balance;
-- FINAL is allowed, the table is small).
-- Key: cluster, session. Partitions are months of first_time, which never changes. Retention: as coverage.
CREATE TABLE IF NOT EXISTS sessions
(
    cluster LowCardinality(String),
    session String CODEC(ZSTD(1)),
    run String CODEC(ZSTD(1)),
    resource LowCardinality(String),
    scope LowCardinality(String),
    first_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    last_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received UInt64,
    suppressed UInt64,
    rejected UInt64,
    appended UInt64,
    applied UInt64,
    duplicate UInt64,
    dead_lettered UInt64,
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_time)
ORDER BY (cluster, session)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
