-- Unresolved incidents of one cluster, newest first.
-- Parameters
--   db        Identifier
--   cluster   String
--   from      Int64, epoch ms: opened since
--   limit     UInt32
-- Reads incidents with FINAL, which design D3 allows here. Index: partitions by opened_time, then the sorting key (cluster, opened_time, id).
SELECT subject_kind AS kind, subject_namespace AS namespace, scenario, cause, summary
FROM {db:Identifier}.incidents FINAL
WHERE cluster = {cluster:String}
  AND state != 'resolved'
  AND opened_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
ORDER BY opened_time DESC, id
LIMIT {limit:UInt32}
