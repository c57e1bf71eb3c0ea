-- One row: one record, or one rule on one record, that could not be taken, with position and reason. Written by the processor, read
-- by the api and by whoever replays them.
-- Key: log, partition, offset, part: the same record read again replaces its row. Partitions are months of time, the log's own time
-- of the record. Retention: days after the month, see sql/retention.
CREATE TABLE IF NOT EXISTS dead_letters
(
    log LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    part LowCardinality(String),
    cluster LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    code LowCardinality(String),
    reason String CODEC(ZSTD(3)),
    payload String CODEC(ZSTD(3)),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (log, partition, offset, part)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
