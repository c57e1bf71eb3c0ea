-- Rows of one partition of {table} that no checkpoint covers: above the {versions} of their cluster in {clusters}, or of another cluster.
-- Index: the partition; the skip index row_version leaves most granules unread.
SELECT count() AS rows
FROM {table:Identifier}
WHERE _partition_id = {partition:String}
    AND version > transform(toString(cluster), {clusters:Array(String)}, {versions:Array(UInt64)}, toUInt64(0))
