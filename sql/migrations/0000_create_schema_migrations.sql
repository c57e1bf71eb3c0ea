-- One row: one migration as it was applied. Written and read by sql/migrate.ts, which creates this table before it looks.
-- Key: number. Two migrators at once write the same row twice, and the later replaces the earlier. Kept for ever.
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    name String,
    checksum String,
    release String,
    applied_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_time)
ORDER BY number
