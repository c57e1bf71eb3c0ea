-- One row: one minute of one node pool for one pod shape (reference: docs of capacity; shape '' is the pool itself). Written by the
-- processor as a roll-up upserted by its key, read by the api (history, trends; FINAL is allowed).
-- Key: cluster, pool, shape, time: a chart reads one contiguous range. Partitions are months of time.
-- Retention: days after the month, see sql/retention.
CREATE TABLE IF NOT EXISTS capacity_samples
(
    cluster LowCardinality(String),
    pool LowCardinality(String),
    shape LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    nodes UInt32,
    cpu_allocatable_millicores UInt64 CODEC(Delta, ZSTD(1)),
    cpu_requested_millicores UInt64 CODEC(Delta, ZSTD(1)),
    cpu_free_millicores UInt64 CODEC(Delta, ZSTD(1)),
    memory_allocatable_bytes UInt64 CODEC(Delta, ZSTD(1)),
    memory_requested_bytes UInt64 CODEC(Delta, ZSTD(1)),
    memory_free_bytes UInt64 CODEC(Delta, ZSTD(1)),
    pods_allocatable UInt32,
    pods_requested UInt32,
    pods_free UInt32,
    k UInt32,
    k_star UInt32,
    phi Float64 CODEC(ZSTD(1)),
    binding LowCardinality(String),
    stranded_cpu_millicores UInt64 CODEC(Delta, ZSTD(1)),
    stranded_memory_bytes UInt64 CODEC(Delta, ZSTD(1)),
    largest_cpu_millicores UInt64 CODEC(Delta, ZSTD(1)),
    largest_memory_bytes UInt64 CODEC(Delta, ZSTD(1)),
    removable_nodes_min UInt32,
    removable_nodes_max UInt32,
    version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (cluster, pool, shape, time)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
