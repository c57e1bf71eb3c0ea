-- Pods of a cluster that were alive at a time, as they stood then, by namespace and name, one page.
-- Parameters
--   db              Identifier
--   cluster         String
--   namespaces      Array(String): any of; empty: all
--   since, at       Int64, epoch ms: a living pod has a row at least once a day, so `since` lies a day and a margin before `at`
--   after_namespace, after_name, after_uid
--                   String: key of the last item of the page before; '' for the first
--   limit           UInt32
-- The last row of every uid by LIMIT 1 BY. Index: partitions by day of observed_time, then the sorting key (cluster, namespace, uid, …).
SELECT
  namespace, name, uid, change, phase, status, ready, restarts, node, workload_kind, workload_name, containers, conditions, spec_hash,
  toUnixTimestamp64Milli(observed_time) AS observed_ms,
  toUnixTimestamp64Milli(created_time) AS created_ms,
  toUnixTimestamp64Milli(deletion_time) AS deletion_ms
FROM (
  SELECT
    namespace, name, uid, change, phase, status, ready, restarts, node, workload_kind, workload_name, containers, conditions, spec_hash,
    observed_time, created_time, deletion_time
  FROM {db:Identifier}.pod_changes
  WHERE cluster = {cluster:String}
    AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, namespace))
    AND observed_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND observed_time <= fromUnixTimestamp64Milli({at:Int64}, 'UTC')
    AND (namespace, name, uid) > ({after_namespace:String}, {after_name:String}, {after_uid:String})
  ORDER BY namespace, uid, observed_time DESC, version DESC
  LIMIT 1 BY namespace, uid
)
WHERE change NOT IN ('DELETED', 'VANISHED')
ORDER BY namespace, name, uid
LIMIT {limit:UInt32}
