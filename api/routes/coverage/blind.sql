-- Blind intervals that touch [from, to].
-- Parameters
--   db              Identifier
--   clusters        Array(String): any of; empty: all
--   resources       Array(String): any of; empty: all
--   from, to        Int64, epoch ms
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: sorting key (cluster, resource, …).
SELECT cluster, resource, scope, toUnixTimestamp64Milli(from_time) AS from_ms, toUnixTimestamp64Milli(to_time) AS to_ms, reason
FROM (
  SELECT cluster, resource, scope, from_time, to_time, reason
  FROM {db:Identifier}.coverage
  WHERE (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
    AND (empty({resources:Array(String)}) OR has({resources:Array(String)}, resource))
    AND from_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  ORDER BY cluster, resource, scope, from_time, version DESC
  LIMIT 1 BY cluster, resource, scope, from_time
)
WHERE to_time = fromUnixTimestamp64Milli(0, 'UTC') OR to_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
ORDER BY cluster, resource, scope, from_time
LIMIT {limit:UInt32}
