-- What Kubernetes said about the objects of an incident while it lasted: Events that say the same are one row, the first of them first.
-- Parameters
--   db              Identifier
--   cluster         String
--   namespaces      Array(String): of the objects
--   uids            Array(String): member pods
--   objects         Array(String): others, as KIND/NAMESPACE/NAME; of a node without its namespace
--   from, to        Int64, epoch ms
--   begun           Int64, epoch ms: no Event that was still seen at `from` had begun before
--   limit           UInt32
-- The same: reason and container, and a message alike but for numbers, the name of the object and the end of generated names.
-- Deduplicated by LIMIT 1 BY uid, newest version first. Index: partitions by first_time, then the sorting key (cluster, namespace, …).
SELECT
  regarding_kind, field_path, type, reason,
  substring(replaceRegexpAll(replaceAll(note, regarding_name, ''), '-[bcdfghjklmnpqrstvwxz2456789]{5}\\b|[0-9]+', '#'), 1, 48) AS pattern,
  argMax(note, (last_time, uid)) AS last_note,
  argMax(regarding_name, (last_time, uid)) AS last_name,
  uniqExact(regarding_name) AS objects,
  sum(count) AS times,
  toUnixTimestamp64Milli(min(first_time)) AS first_ms,
  toUnixTimestamp64Milli(max(last_time)) AS last_ms
FROM (
  SELECT uid, regarding_kind, regarding_name, field_path, type, reason, note, count, first_time, last_time
  FROM {db:Identifier}.events
  WHERE cluster = {cluster:String}
    AND namespace IN {namespaces:Array(String)}
    AND first_time >= fromUnixTimestamp64Milli({begun:Int64}, 'UTC')
    AND first_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (
      regarding_uid IN {uids:Array(String)}
      OR has({objects:Array(String)}, concat(regarding_kind, '/', if(regarding_kind = 'Node', '', namespace), '/', regarding_name))
    )
  ORDER BY uid, version DESC
  LIMIT 1 BY uid
)
WHERE last_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
GROUP BY regarding_kind, field_path, type, reason, pattern
ORDER BY type DESC, first_ms, reason, regarding_kind, field_path, pattern
LIMIT {limit:UInt32}
