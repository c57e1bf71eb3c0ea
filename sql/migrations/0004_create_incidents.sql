-- One row: the head of one incident. Written by the processor at every change of it, read by the api: lists and trends over a time
-- range with filters (FINAL is allowed here: a few million rows at most), one by its id through the skip index.
-- Key: cluster, id; opened_time, which never changes, stands between them, so that a list by time reads neighbours. Partitions are
-- months of opened_time. Retention: days after the month, see sql/retention; an incident still open by then goes too.
CREATE TABLE IF NOT EXISTS incidents
(
    cluster LowCardinality(String),
    id String CODEC(ZSTD(1)),
    scenario LowCardinality(String),
    cause LowCardinality(String),
    detail LowCardinality(String),
    flags Array(LowCardinality(String)),
    confidence LowCardinality(String),
    severity LowCardinality(String),
    state LowCardinality(String),
    resolution LowCardinality(String),
    subject_kind LowCardinality(String),
    subject_namespace LowCardinality(String),
    subject_name String CODEC(ZSTD(1)),
    subject_container LowCardinality(String),
    image String CODEC(ZSTD(1)),
    registry LowCardinality(String),
    node LowCardinality(String),
    claim String CODEC(ZSTD(1)),
    pods UInt32,
    failing_pods UInt32,
    impact String CODEC(ZSTD(1)),
    opened_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    updated_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    resolved_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    first_symptom_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    flaps UInt32,
    summary String CODEC(ZSTD(3)),
    evidence String CODEC(ZSTD(3)),
    suspected_change String CODEC(ZSTD(3)),
    superseded_by String CODEC(ZSTD(1)),
    parent String CODEC(ZSTD(1)),
    version UInt64 CODEC(Delta, ZSTD(1)),
    INDEX incident_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX row_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_time)
ORDER BY (cluster, opened_time, id)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
