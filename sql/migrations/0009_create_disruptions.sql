-- One row: one wanted disruption of one pod (preemption, drain, eviction through the API, taint, garbage collection), which is no
-- incident. Written by the processor, read by the api (lists over a time range with filters).
-- Key: cluster, pod_uid, reason; namespace, which follows from the uid, comes first for filters. Partitions are months of time.
-- Retention: as incidents.
CREATE TABLE IF NOT EXISTS disruptions
(
    cluster LowCardinality(String),
    namespace LowCardinality(String),
    pod_name String CODEC(ZSTD(1)),
    pod_uid String CODEC(ZSTD(1)),
    node LowCardinality(String),
    workload_kind LowCardinality(String),
    workload_name String CODEC(ZSTD(1)),
    reason LowCardinality(String),
    message String CODEC(ZSTD(3)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1)),
    INDEX disruption_pod_uid pod_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX row_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (cluster, namespace, pod_uid, reason)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
