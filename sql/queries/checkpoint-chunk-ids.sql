-- Chunks that are stored of {clusters}, without their contents. Primary key: cluster_uid.
SELECT cluster_uid, chunk_id, toUnixTimestamp64Milli(max(written_time)) AS written_time_ms
FROM checkpoint_chunks
WHERE cluster_uid IN {clusters:Array(String)}
GROUP BY cluster_uid, chunk_id
