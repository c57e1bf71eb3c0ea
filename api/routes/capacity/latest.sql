-- The last sample of each cluster at a time, of pools or of their shapes, one page. A pool that is not in its cluster's last sample is gone.
-- Parameters
--   db                 Identifier
--   from, at           Int64, epoch ms: the sample is the last one after `from`, at `at` or before
--   clusters, pools, shapes   Array(String): any of; empty: all. Pool '' is the whole cluster
--   of_shapes          UInt8: 1 for shapes, 0 for the pools themselves
--   after              Array(String): cluster, pool and shape of the last row of the page before; three times '' for the first
--   limit              UInt32
-- Deduplicated by LIMIT 1 BY (cluster, pool, shape), newest version first. Index: partitions by month, then the sorting key (cluster, pool, shape, time).
SELECT
  cluster, pool, shape, toUnixTimestamp64Milli(time) AS time_ms, nodes,
  cpu_allocatable_millicores, cpu_requested_millicores, cpu_free_millicores,
  memory_allocatable_bytes, memory_requested_bytes, memory_free_bytes,
  pods_allocatable, pods_requested, pods_free,
  k, k_star, phi, binding, origin, demand,
  cordoned_nodes, not_ready_nodes, virtual_nodes,
  expected_waste_cpu_millicores, expected_waste_memory_bytes, frontier,
  stranded_cpu_millicores, stranded_memory_bytes, largest_cpu_millicores, largest_memory_bytes,
  removable_nodes_min, removable_nodes_max
FROM {db:Identifier}.capacity_samples
WHERE time > fromUnixTimestamp64Milli({from:Int64}, 'UTC')
  AND time <= fromUnixTimestamp64Milli({at:Int64}, 'UTC')
  AND (shape != '') = {of_shapes:UInt8}
  AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
  AND (empty({pools:Array(String)}) OR has({pools:Array(String)}, pool))
  AND (empty({shapes:Array(String)}) OR has({shapes:Array(String)}, shape))
  AND (cluster, pool, shape) > ({after:Array(String)}[1], {after:Array(String)}[2], {after:Array(String)}[3])
  AND (cluster, time) IN (
    SELECT cluster, max(time)
    FROM {db:Identifier}.capacity_samples
    WHERE pool = '' AND shape = ''
      AND time > fromUnixTimestamp64Milli({from:Int64}, 'UTC')
      AND time <= fromUnixTimestamp64Milli({at:Int64}, 'UTC')
      AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
    GROUP BY cluster
  )
ORDER BY cluster, pool, shape, version DESC
LIMIT 1 BY cluster, pool, shape
LIMIT {limit:UInt32}
