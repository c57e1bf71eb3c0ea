-- One row: a cluster as last heard of. Written by the processor, read by the api (list of clusters, lag).
-- Key: cluster. A handful of rows, so no partitions and FINAL is free. Kept for ever: `podtrail cluster forget` removes it.
CREATE TABLE IF NOT EXISTS clusters
(
    cluster LowCardinality(String),
    cluster_uid String,
    server_version LowCardinality(String),
    first_record_time DateTime64(3, 'UTC'),
    last_record_time DateTime64(3, 'UTC'),
    last_heartbeat_time DateTime64(3, 'UTC'),
    resources String CODEC(ZSTD(3)),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY cluster
