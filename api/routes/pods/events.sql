-- Kubernetes Events about one object, newest first.
-- Parameters
--   db              Identifier
--   cluster, uid    String: the object
--   namespaces      Array(String): its namespace where it is known; else empty
--   from, to        Int64, epoch ms
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY uid, newest version first. Index: sorting key (cluster, namespace, regarding_uid, …), skip index event_regarding_uid.
SELECT
  uid, type, reason, note, component, field_path, count,
  toUnixTimestamp64Milli(first_time) AS first_ms,
  toUnixTimestamp64Milli(last_time) AS last_ms
FROM (
  SELECT uid, type, reason, note, component, field_path, count, first_time, last_time
  FROM {db:Identifier}.events
  WHERE cluster = {cluster:String}
    AND regarding_uid = {uid:String}
    AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, namespace))
    AND first_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  ORDER BY uid, version DESC
  LIMIT 1 BY uid
)
WHERE last_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
ORDER BY last_time DESC, uid
LIMIT {limit:UInt32}
