-- One pool, or one shape of it, over time buckets: means of what is measured, the least K.
-- Parameters
--   db                    Identifier
--   start, step, count    Int64, Int64, UInt32: count buckets of step ms from start, epoch ms
--   cluster, pool, shape  String: pool '' is the whole cluster, shape '' the pool itself
-- Deduplicated by FINAL, which design D3 allows on roll-ups, over one contiguous range. Index: sorting key (cluster, pool, shape, time).
SELECT
  intDiv(toUnixTimestamp64Milli(time) - {start:Int64}, {step:Int64}) AS bucket,
  count() AS samples,
  round(avg(nodes), 3) AS node_mean,
  round(avg(cpu_allocatable_millicores)) AS cpu_allocatable,
  round(avg(cpu_requested_millicores)) AS cpu_requested,
  round(avg(cpu_free_millicores)) AS cpu_free,
  round(avg(memory_allocatable_bytes)) AS memory_allocatable,
  round(avg(memory_requested_bytes)) AS memory_requested,
  round(avg(memory_free_bytes)) AS memory_free,
  round(avg(stranded_cpu_millicores)) AS stranded_cpu,
  round(avg(stranded_memory_bytes)) AS stranded_memory,
  min(capacity_samples.k) AS k_min,
  min(capacity_samples.k_star) AS k_star_min,
  avg(capacity_samples.phi) AS phi_mean
FROM {db:Identifier}.capacity_samples FINAL
WHERE cluster = {cluster:String} AND pool = {pool:String} AND shape = {shape:String}
  AND time >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
  AND time < fromUnixTimestamp64Milli({start:Int64} + {step:Int64} * {count:UInt32}, 'UTC')
GROUP BY bucket
ORDER BY bucket
LIMIT {count:UInt32}
