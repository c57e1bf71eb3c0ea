-- Dead letters in [from, to], newest first, one page.
-- Parameters
--   db              Identifier
--   from, to        Int64, epoch ms
--   clusters, codes Array(String): any of; empty: all
--   payload_chars   UInt32: longer payloads are cut
--   after_time      Int64, epoch ms, with after_log, after_partition, after_offset and after_part the key of the last item before; above `to`
--                   for the first page
--   limit           UInt32
-- Deduplicated by LIMIT 1 BY the key, newest version first. Index: partitions by month of time.
SELECT
  log, partition, toString(offset) AS record_offset, part, cluster, code, reason,
  substringUTF8(payload, 1, {payload_chars:UInt32}) AS payload_start,
  length(payload) AS payload_bytes,
  toUnixTimestamp64Milli(time) AS time_ms
FROM (
  SELECT log, partition, offset, part, cluster, code, reason, payload, time
  FROM {db:Identifier}.dead_letters
  WHERE time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
    AND (empty({codes:Array(String)}) OR has({codes:Array(String)}, code))
  ORDER BY log, partition, `offset`, part, version DESC
  LIMIT 1 BY log, partition, `offset`, part
)
WHERE time < fromUnixTimestamp64Milli({after_time:Int64}, 'UTC')
  OR (
    time = fromUnixTimestamp64Milli({after_time:Int64}, 'UTC')
    AND (log, partition, offset, part) > ({after_log:String}, {after_partition:UInt32}, {after_offset:UInt64}, {after_part:String})
  )
ORDER BY time DESC, log, partition, `offset`, part
LIMIT {limit:UInt32}
