-- One row: one change of one pod, as the cluster saw it; a living pod has at least one row a day. The big table.
-- Written by the processor; read by the api for time travel (the last row of every uid of a cluster within a day: LIMIT 1 BY) and
-- for the history of a pod (by uid or name through the skip indexes, or by the key where cluster and namespace are known).
-- Key: cluster, namespace, uid, observed_time, resource_version. Partitions are days, so that time travel reads two of them, and
-- within a day all rows of a pod lie together, which is what makes them small. Rows never change their day.
-- spec is set only on the first row of a spec_hash; spec_row finds that row. Retention: days, see sql/retention.
CREATE TABLE IF NOT EXISTS pod_changes
(
    cluster LowCardinality(String),
    namespace LowCardinality(String),
    name String CODEC(ZSTD(1)),
    uid String CODEC(ZSTD(1)),
    observed_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    resource_version String CODEC(ZSTD(1)),
    change LowCardinality(String),
    phase LowCardinality(String),
    status LowCardinality(String),
    ready LowCardinality(String),
    restarts UInt32 CODEC(ZSTD(1)),
    node LowCardinality(String),
    workload_kind LowCardinality(String),
    workload_name String CODEC(ZSTD(1)),
    containers String CODEC(ZSTD(3)),
    conditions String CODEC(ZSTD(3)),
    created_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    deletion_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    spec_hash String CODEC(ZSTD(1)),
    spec String CODEC(ZSTD(3)),
    version UInt64 CODEC(Delta, ZSTD(1)),
    INDEX pod_uid uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX pod_name name TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX spec_row if(spec = '', '', spec_hash) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX row_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(observed_time)
PRIMARY KEY (cluster, namespace, uid, observed_time)
ORDER BY (cluster, namespace, uid, observed_time, resource_version)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
