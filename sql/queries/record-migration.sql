-- Marks a migration as applied; the same one again replaces it.
INSERT INTO schema_migrations (number, name, checksum, release, applied_time)
SELECT {number:UInt32}, {name:String}, {checksum:String}, {release:String}, now64(3)
