-- Chunks that no kept manifest names; {ids} are unique among all clusters. Primary key: cluster_uid.
DELETE FROM checkpoint_chunks
WHERE cluster_uid IN {clusters:Array(String)} AND chunk_id IN {ids:Array(String)}
