-- One row: one Kubernetes Event at its latest count. Written by the processor, read by the api (events of a pod, of an incident).
-- Key: cluster, namespace, uid; regarding_uid, which is the same for the life of an Event, stands before the uid, so that what is
-- said about one object lies together. Partitions are months of first_time, which does not change either.
-- Retention: days after the month, see sql/retention.
CREATE TABLE IF NOT EXISTS events
(
    cluster LowCardinality(String),
    namespace LowCardinality(String),
    uid String CODEC(ZSTD(1)),
    regarding_kind LowCardinality(String),
    regarding_name String CODEC(ZSTD(1)),
    regarding_uid String CODEC(ZSTD(1)),
    field_path LowCardinality(String),
    type LowCardinality(String),
    reason LowCardinality(String),
    note String CODEC(ZSTD(3)),
    component LowCardinality(String),
    first_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    last_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    count UInt64 CODEC(ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1)),
    INDEX event_regarding_uid regarding_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX event_last_time last_time TYPE minmax GRANULARITY 1,
    INDEX row_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_time)
ORDER BY (cluster, namespace, regarding_uid, uid)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
