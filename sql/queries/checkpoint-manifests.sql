-- Manifests of {clusters}, newest first. FINAL: a few rows a cluster. Primary key: cluster_uid.
SELECT
    cluster_uid,
    cluster,
    generation,
    count,
    log,
    partition,
    next_offset,
    format,
    release,
    chunks,
    checksum,
    toUnixTimestamp64Milli(written_time) AS written_time_ms
FROM checkpoint_manifests FINAL
WHERE cluster_uid IN {clusters:Array(String)}
ORDER BY cluster_uid, generation DESC, count DESC
