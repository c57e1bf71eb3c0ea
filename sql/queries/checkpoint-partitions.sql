-- Every partition of every log that was ever read. FINAL: a row a partition.
SELECT log, partition, partitions, next_offset, last_offset, last_hash, clusters, toUnixTimestamp64Milli(written_time) AS written_time_ms
FROM checkpoint_partitions FINAL
ORDER BY written_time DESC, log, partition
