-- Incidents of the whole fleet about image pulls, latest first.
-- Parameters
--   db       Identifier
--   from     Int64, epoch ms: opened since
--   limit    UInt32
-- Reads incidents with FINAL, which design D3 allows here. Index: partitions by opened_time.
SELECT
  image, registry, cause, cluster,
  toUnixTimestamp64Milli(max(updated_time)) AS last_ms,
  count() AS incidents,
  max(state != 'resolved') AS is_open
FROM {db:Identifier}.incidents FINAL
WHERE scenario = 'image_pull_failure'
  AND opened_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
GROUP BY image, registry, cause, cluster
ORDER BY last_ms DESC, image, registry, cause, cluster
LIMIT {limit:UInt32}
