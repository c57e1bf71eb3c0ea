-- One row: one blind interval of one resource, to_time at the epoch while it lasts. Written by the processor, read by the api with
-- every report (what overlaps a time range; FINAL is allowed, the table is small).
-- Key: cluster, resource, scope, from_time. Partitions are months of from_time. Retention: days after the month, see sql/retention.
CREATE TABLE IF NOT EXISTS coverage
(
    cluster LowCardinality(String),
    resource LowCardinality(String),
    scope LowCardinality(String),
    from_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    to_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    reason String CODEC(ZSTD(3)),
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(from_time)
ORDER BY (cluster, resource, scope, from_time)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
