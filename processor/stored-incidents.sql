-- Heads of the incidents of some clusters that were active in [from, to], for a backtest.
-- Parameters
--   clusters    Array(String), names
--   from, to    Int64, epoch ms
--   limit       UInt32
-- Reads incidents with FINAL, which design D3 allows here. Index: the sorting key (cluster, opened_time, id).
SELECT
  cluster, id, scenario, cause, toUInt8(has(flags, 'muted')) AS muted,
  subject_kind, subject_namespace, subject_name, subject_container,
  toUnixTimestamp64Milli(opened_time) AS opened_ms,
  toUnixTimestamp64Milli(resolved_time) AS resolved_ms,
  pods, summary
FROM incidents FINAL
WHERE cluster IN {clusters:Array(String)}
  AND opened_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  AND (resolved_time = fromUnixTimestamp64Milli(0, 'UTC') OR resolved_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC'))
ORDER BY cluster, opened_time, id
LIMIT {limit:UInt32}
