-- The oldest and the newest entries of an incident's story, by seq; what lies between is known by the hole in seq.
-- Parameters
--   db              Identifier
--   cluster, id     String: the incident
--   opened          Int64, epoch ms: when it opened
--   oldest, newest  UInt32: how many of each
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partition of opened_time, then the sorting key (cluster, incident_id, …).
SELECT seq, toUnixTimestamp64Milli(time) AS time_ms, kind, text
FROM (
  SELECT seq, time, kind, text, version
  FROM {db:Identifier}.incident_timeline
  WHERE cluster = {cluster:String}
    AND incident_id = {id:String}
    AND opened_time = fromUnixTimestamp64Milli({opened:Int64}, 'UTC')
  ORDER BY seq, version DESC
  LIMIT 1 BY seq
  LIMIT {oldest:UInt32}
  UNION ALL
  SELECT seq, time, kind, text, version
  FROM {db:Identifier}.incident_timeline
  WHERE cluster = {cluster:String}
    AND incident_id = {id:String}
    AND opened_time = fromUnixTimestamp64Milli({opened:Int64}, 'UTC')
  ORDER BY seq DESC, version DESC
  LIMIT 1 BY seq
  LIMIT {newest:UInt32}
)
ORDER BY seq
LIMIT 1 BY seq
