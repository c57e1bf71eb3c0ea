-- The newest entries of an incident's story.
-- Parameters
--   db              Identifier
--   cluster, id     String: the incident
--   opened          Int64, epoch ms: when it opened
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partition of opened_time, then the sorting key (cluster, incident_id, …).
SELECT seq, toUnixTimestamp64Milli(time) AS time_ms, kind, text
FROM {db:Identifier}.incident_timeline
WHERE cluster = {cluster:String}
  AND incident_id = {id:String}
  AND opened_time = fromUnixTimestamp64Milli({opened:Int64}, 'UTC')
ORDER BY seq DESC, version DESC
LIMIT 1 BY seq
LIMIT {limit:UInt32}
