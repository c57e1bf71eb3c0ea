-- Whether {table} holds rows of {cluster} above {version} and below {below}; the skip index row_version leaves most granules unread.
SELECT count() AS rows
FROM {table:Identifier}
WHERE cluster = {cluster:String} AND version > {version:UInt64} AND version < {below:UInt64}
