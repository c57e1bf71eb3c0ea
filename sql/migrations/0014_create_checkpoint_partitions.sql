-- One row: one partition of the change log: the offset before which every cluster seen in it is checkpointed, by which checkpoint of
-- each, and the identity of the record before that offset (design D4). Written after the manifests of the same round, and read by the
-- processor, through sql/checkpoints.ts.
-- Key: log, partition. An older row that a zombie writes last only makes the next start read more. Retention: one row a partition.
CREATE TABLE IF NOT EXISTS checkpoint_partitions
(
    log String,
    partition UInt32,
    partitions UInt32,
    next_offset UInt64,
    last_offset Int64,
    last_hash String,
    clusters String CODEC(ZSTD(1)),
    written_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written_time)
ORDER BY (log, partition)
