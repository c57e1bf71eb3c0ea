-- One row: one entry of an incident's story. Written by the processor, read by the api (the story of an incident, in order of seq).
-- Key: cluster, incident_id, seq. Partitions are months of the incident's opened_time, which never changes, so that the story goes
-- with its incident. Retention: as incidents.
CREATE TABLE IF NOT EXISTS incident_timeline
(
    cluster LowCardinality(String),
    incident_id String CODEC(ZSTD(1)),
    opened_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    seq UInt32 CODEC(Delta, ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String),
    text String CODEC(ZSTD(3)),
    version UInt64 CODEC(Delta, ZSTD(1)),
    INDEX timeline_incident_id incident_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX row_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_time)
ORDER BY (cluster, incident_id, seq)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
