-- Member pods of the given incidents, those that failed first first, at most `each` of one incident.
-- Parameters
--   db              Identifier
--   clusters, ids   Array(String): the incidents
--   from, to        Int64, epoch ms: the incidents opened within
--   each, limit     UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partitions by opened_time, then the sorting key (cluster, incident_id, …).
SELECT
  cluster, incident_id, pod_namespace, pod_name, pod_uid, node, state,
  toUnixTimestamp64Milli(first_time) AS first_ms,
  toUnixTimestamp64Milli(last_time) AS last_ms
FROM (
  SELECT cluster, incident_id, pod_namespace, pod_name, pod_uid, node, state, first_time, last_time
  FROM {db:Identifier}.incident_members
  WHERE cluster IN {clusters:Array(String)}
    AND incident_id IN {ids:Array(String)}
    AND opened_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND opened_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  ORDER BY cluster, incident_id, pod_uid, version DESC
  LIMIT 1 BY cluster, incident_id, pod_uid
)
ORDER BY cluster, incident_id, first_time, pod_uid
LIMIT {each:UInt32} BY cluster, incident_id
LIMIT {limit:UInt32}
