-- One row: one checkpoint of one cluster: where in the log it stands and which chunks make it up (design D4). Written last, after
-- its chunks. Written and read by the processor through sql/checkpoints.ts.
-- Key: cluster_uid, generation, count: the highest that is whole wins. Two processors that reach the same count hold the same state, so
-- either row will do. Retention: by deletion, the two newest of a cluster and the previous release's last.
CREATE TABLE IF NOT EXISTS checkpoint_manifests
(
    cluster_uid LowCardinality(String),
    cluster LowCardinality(String),
    generation UInt32,
    count UInt64,
    log String,
    partition UInt32,
    next_offset UInt64,
    format UInt32,
    release LowCardinality(String),
    chunks String CODEC(ZSTD(1)),
    checksum String,
    written_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written_time)
ORDER BY (cluster_uid, generation, count)
