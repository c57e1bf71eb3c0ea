-- What the database takes on disk, by table and partition. Inactive parts are on their way out and do not count.
SELECT table, partition, sum(bytes_on_disk) AS bytes
FROM system.parts
WHERE database = currentDatabase() AND active
GROUP BY table, partition
