-- Rows of {cluster} above {version} and below {below}: they belong to a generation that is being replaced (design D3).
DELETE FROM {table:Identifier}
WHERE cluster = {cluster:String} AND version > {version:UInt64} AND version < {below:UInt64}
