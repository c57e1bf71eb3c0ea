-- Sessions that lived in [from, to], newest first, one page.
-- Parameters
--   db              Identifier
--   clusters        Array(String): any of; empty: all
--   from, to        Int64, epoch ms
--   after_first     Int64, epoch ms, with after_cluster and after_session the key of the last item before; above `to` for the first page
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partitions by month of first_time, then the sorting key (cluster, session).
SELECT
  cluster, session, run, resource, scope, received, suppressed, rejected, appended, applied, duplicate, dead_lettered,
  toUnixTimestamp64Milli(first_time) AS first_ms,
  toUnixTimestamp64Milli(last_time) AS last_ms
FROM (
  SELECT cluster, session, run, resource, scope, received, suppressed, rejected, appended, applied, duplicate, dead_lettered, first_time, last_time
  FROM {db:Identifier}.sessions
  WHERE first_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
  ORDER BY cluster, session, version DESC
  LIMIT 1 BY cluster, session
)
WHERE last_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
  AND (
    first_time < fromUnixTimestamp64Milli({after_first:Int64}, 'UTC')
    OR (first_time = fromUnixTimestamp64Milli({after_first:Int64}, 'UTC') AND (cluster, session) > ({after_cluster:String}, {after_session:String}))
  )
ORDER BY first_time DESC, cluster, session
LIMIT {limit:UInt32}
