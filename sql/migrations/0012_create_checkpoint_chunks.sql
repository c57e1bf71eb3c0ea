-- One row: one immutable piece (1 MiB at most) of a cluster's checkpoint (design D4). Written and read by the processor through
-- sql/checkpoints.ts, which also deletes what no kept manifest names.
-- Key: cluster_uid, chunk_id; ids are fresh, so the same row twice is a repeated insert. Granules of about one chunk, because chunks
-- are fetched by id; deleted rows count as gone when merges pick parts, so that space comes back. Retention: by deletion.
CREATE TABLE IF NOT EXISTS checkpoint_chunks
(
    cluster_uid LowCardinality(String),
    chunk_id String,
    table_name LowCardinality(String),
    bucket UInt32,
    checksum String,
    written_time DateTime64(3, 'UTC'),
    data String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(written_time)
ORDER BY (cluster_uid, chunk_id)
SETTINGS index_granularity_bytes = 1048576, exclude_deleted_rows_for_part_size_in_merge = 1
