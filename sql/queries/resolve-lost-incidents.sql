-- Ends the incidents of {cluster} that are open in a generation below {floor}: nobody knows how they went on (design D3).
-- The key stays, so each row replaces its own; once it has, nothing matches any more. A subquery, because the aliases of REPLACE
-- would stand for the columns in WHERE.
INSERT INTO incidents
SELECT * REPLACE (
    'resolved' AS state,
    'unknown' AS resolution,
    0 AS failing_pods,
    fromUnixTimestamp64Milli({timeMs:Int64}, 'UTC') AS resolved_time,
    fromUnixTimestamp64Milli({timeMs:Int64}, 'UTC') AS updated_time,
    {version:UInt64} AS version
)
FROM
(
    SELECT *
    FROM incidents FINAL
    WHERE cluster = {cluster:String} AND state != 'resolved' AND version < {floor:UInt64}
)
