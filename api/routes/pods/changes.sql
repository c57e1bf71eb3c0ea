-- Changes of one pod, newest first, one page.
-- Parameters
--   db              Identifier
--   cluster, uid    String: the pod
--   namespaces      Array(String): its namespace where it is known, which makes the sorting key useful; else empty
--   from, to        Int64, epoch ms
--   after_observed, after_version
--                   Int64, epoch ms, and UInt64: of the last item of the page before; for the first page above `to`, and 0
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partitions by day of observed_time, skip index pod_uid.
SELECT
  namespace, name, uid, change, phase, status, ready, restarts, node, workload_kind, workload_name, containers, conditions, spec_hash,
  toUnixTimestamp64Milli(observed_time) AS observed_ms,
  toUnixTimestamp64Milli(created_time) AS created_ms,
  toUnixTimestamp64Milli(deletion_time) AS deletion_ms,
  toString(version) AS row_version
FROM (
  SELECT
    namespace, name, uid, change, phase, status, ready, restarts, node, workload_kind, workload_name, containers, conditions, spec_hash,
    observed_time, created_time, deletion_time, version
  FROM {db:Identifier}.pod_changes
  WHERE cluster = {cluster:String}
    AND uid = {uid:String}
    AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, namespace))
    AND observed_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND observed_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND observed_time <= fromUnixTimestamp64Milli({after_observed:Int64}, 'UTC')
  ORDER BY observed_time DESC, version DESC
  LIMIT 1 BY observed_time, resource_version
)
WHERE observed_time < fromUnixTimestamp64Milli({after_observed:Int64}, 'UTC') OR version < {after_version:UInt64}
ORDER BY observed_time DESC, version DESC, uid
LIMIT {limit:UInt32}
