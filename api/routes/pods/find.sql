-- Pods by name over time: one item a uid, newest created first, one page.
-- Parameters
--   db              Identifier
--   names           Array(String): any of; never empty
--   clusters, namespaces
--                   Array(String): any of; empty: all
--   from, to        Int64, epoch ms: seen within
--   after_created   Int64, epoch ms, with after_cluster and after_uid the key of the last item before; above all times for the first page
--   limit           UInt32
-- The last state by argMax over (observed_time, version). Index: partitions by day of observed_time, skip index pod_name.
SELECT
  cluster, namespace, name, uid,
  toUnixTimestamp64Milli(max(created_time)) AS created_ms,
  toUnixTimestamp64Milli(min(observed_time)) AS first_ms,
  toUnixTimestamp64Milli(max(observed_time)) AS last_ms,
  argMax(tuple(change, phase, status, node, workload_kind, workload_name), (observed_time, version)) AS latest
FROM {db:Identifier}.pod_changes
WHERE name IN {names:Array(String)}
  AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
  AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, namespace))
  AND observed_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
  AND observed_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
GROUP BY cluster, namespace, name, uid
HAVING created_ms < {after_created:Int64} OR (created_ms = {after_created:Int64} AND (cluster, uid) > ({after_cluster:String}, {after_uid:String}))
ORDER BY created_ms DESC, cluster, uid
LIMIT {limit:UInt32}
