-- Dead letters that are whole records since {since}, in the order of their logs, one page after {log}, {partition}, {offset}. FINAL:
-- nobody writes many. Index: partitions by month of time, then the key.
SELECT log, partition, offset, cluster, code, reason, payload
FROM dead_letters FINAL
WHERE part = 'record'
    AND time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND (log, partition, offset) > ({log:String}, {partition:Int64}, {offset:UInt64})
ORDER BY log, partition, offset
LIMIT {limit:UInt32}
