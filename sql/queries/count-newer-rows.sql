-- Whether {table} holds rows of {cluster} above {version}; the skip index row_version leaves most granules unread.
SELECT count() AS rows
FROM {table:Identifier}
WHERE cluster = {cluster:String} AND version > {version:UInt64}
