-- Wanted disruptions of pods in [from, to], newest first, one page.
-- Parameters
--   db              Identifier
--   from, to        Int64, epoch ms
--   clusters, namespaces, workloads, nodes, pods, reasons
--                   Array(String): any of; empty: all. Workloads by name or kind/name, pods by name or uid
--   after_time      Int64, epoch ms, with after_cluster, after_uid and after_reason the key of the last item before; above `to` for the first page
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partitions by month of time, then the sorting key (cluster, namespace, …).
SELECT
  cluster, namespace, pod_name, pod_uid, node, workload_kind, workload_name, reason, message,
  toUnixTimestamp64Milli(time) AS time_ms
FROM (
  SELECT cluster, namespace, pod_name, pod_uid, node, workload_kind, workload_name, reason, message, time
  FROM {db:Identifier}.disruptions
  WHERE time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
    AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, namespace))
    AND (empty({workloads:Array(String)}) OR hasAny({workloads:Array(String)}, [workload_name, concat(workload_kind, '/', workload_name)]))
    AND (empty({nodes:Array(String)}) OR has({nodes:Array(String)}, node))
    AND (empty({pods:Array(String)}) OR has({pods:Array(String)}, pod_name) OR has({pods:Array(String)}, pod_uid))
    AND (empty({reasons:Array(String)}) OR has({reasons:Array(String)}, reason))
  ORDER BY cluster, namespace, pod_uid, reason, version DESC
  LIMIT 1 BY cluster, namespace, pod_uid, reason
)
WHERE time < fromUnixTimestamp64Milli({after_time:Int64}, 'UTC')
  OR (
    time = fromUnixTimestamp64Milli({after_time:Int64}, 'UTC')
    AND (cluster, pod_uid, reason) > ({after_cluster:String}, {after_uid:String}, {after_reason:String})
  )
ORDER BY time DESC, cluster, pod_uid, reason
LIMIT {limit:UInt32}
