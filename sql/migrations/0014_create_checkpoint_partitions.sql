-- One row: every cluster seen in one partition of the log, with the offset to go on from (design D4): after its checkpoint, or its
-- first record while it has none. Written and read by the processor through sql/checkpoints.ts.
-- Key: log, partition. An older row that a zombie writes last only makes the next start read more. Retention: one row a partition.
CREATE TABLE IF NOT EXISTS checkpoint_partitions
(
    log String,
    partition UInt32,
    partitions UInt32,
    clusters String CODEC(ZSTD(1)),
    written_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written_time)
ORDER BY (log, partition)
