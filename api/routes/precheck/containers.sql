-- Incidents of one cluster about containers that ran out of memory or failed their probes, by container.
-- Parameters
--   db        Identifier
--   cluster   String
--   from      Int64, epoch ms: opened since
--   limit     UInt32
-- Reads incidents with FINAL, which design D3 allows here. Index: partitions by opened_time, then the sorting key (cluster, opened_time, id).
SELECT
  subject_kind AS kind, subject_namespace AS namespace, subject_name AS name, subject_container AS container, scenario, cause,
  count() AS incidents,
  arraySlice(groupUniqArrayIf(10)(
    JSONExtractString(arrayFirst(e -> endsWith(JSONExtractString(e, 'path'), 'resources.limits.memory'), JSONExtractArrayRaw(evidence)), 'value'),
    scenario = 'oom_killed'), 1, 10) AS memory_limits
FROM {db:Identifier}.incidents FINAL
WHERE cluster = {cluster:String}
  AND scenario IN ('oom_killed', 'liveness_probe_failure', 'readiness_probe_failure')
  AND opened_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
GROUP BY kind, namespace, name, container, scenario, cause
ORDER BY incidents DESC, kind, namespace, name, container, scenario, cause
LIMIT {limit:UInt32}
