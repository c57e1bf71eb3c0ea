-- Balance of each cluster over the sessions that lived in [from, to].
-- Parameters
--   db              Identifier
--   clusters        Array(String): any of; empty: all
--   from, to        Int64, epoch ms
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partitions by month of first_time, then the sorting key (cluster, session).
SELECT
  cluster,
  count() AS session_count,
  sum(received) AS received_sum,
  sum(suppressed) AS suppressed_sum,
  sum(rejected) AS rejected_sum,
  sum(appended) AS appended_sum,
  sum(applied) AS applied_sum,
  sum(duplicate) AS duplicate_sum,
  sum(dead_lettered) AS dead_lettered_sum
FROM (
  SELECT cluster, session, last_time, received, suppressed, rejected, appended, applied, duplicate, dead_lettered
  FROM {db:Identifier}.sessions
  WHERE first_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
  ORDER BY cluster, session, version DESC
  LIMIT 1 BY cluster, session
)
WHERE last_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
GROUP BY cluster
ORDER BY cluster
LIMIT {limit:UInt32}
