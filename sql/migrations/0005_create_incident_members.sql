-- One row: one pod of one incident, as it last stood. Written by the processor, read by the api (members of an incident by its id,
-- incidents of a pod through the skip index).
-- Key: cluster, incident_id, pod_uid. Partitions are months of the incident's opened_time, which never changes, so that members go
-- with their incident. Retention: as incidents.
CREATE TABLE IF NOT EXISTS incident_members
(
    cluster LowCardinality(String),
    incident_id String CODEC(ZSTD(1)),
    opened_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    pod_namespace LowCardinality(String),
    pod_name String CODEC(ZSTD(1)),
    pod_uid String CODEC(ZSTD(1)),
    node LowCardinality(String),
    first_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    last_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    state LowCardinality(String),
    version UInt64 CODEC(Delta, ZSTD(1)),
    INDEX member_incident_id incident_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX member_pod_uid pod_uid TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX row_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_time)
ORDER BY (cluster, incident_id, pod_uid)
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1
