-- Migrations as applied, oldest first. FINAL: a few rows.
SELECT number, name, checksum, release
FROM schema_migrations FINAL
ORDER BY number
