-- Clusters as last heard of, by name, one page.
-- Parameters
--   db              Identifier
--   clusters        Array(String): any of; empty: all
--   after           String: name of the last cluster of the page before; '' for the first
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY cluster, newest version first. Index: sorting key (cluster). No time range: one row a cluster.
SELECT
  cluster, cluster_uid, server_version, resources,
  toUnixTimestamp64Milli(first_record_time) AS first_record_ms,
  toUnixTimestamp64Milli(last_record_time) AS last_record_ms,
  toUnixTimestamp64Milli(last_heartbeat_time) AS last_heartbeat_ms
FROM {db:Identifier}.clusters
WHERE cluster > {after:String}
  AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
ORDER BY cluster, version DESC
LIMIT 1 BY cluster
LIMIT {limit:UInt32}
