-- Highest version of any row of {cluster} in {table}; 0 if there is none.
SELECT max(version) AS version
FROM {table:Identifier}
WHERE cluster = {cluster:String}
