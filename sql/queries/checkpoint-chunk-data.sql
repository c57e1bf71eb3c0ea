-- Contents of {ids} of one cluster; a chunk stored twice comes once. In RowBinary, for sql/row-binary.ts. Primary key: cluster_uid, chunk_id.
SELECT chunk_id, data
FROM checkpoint_chunks
WHERE cluster_uid = {cluster:String} AND chunk_id IN {ids:Array(String)}
LIMIT 1 BY chunk_id
FORMAT RowBinary
