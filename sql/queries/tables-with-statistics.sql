-- Tables that merges would make column statistics for; none on an engine that makes none by itself (before 26).
SELECT name
FROM system.tables
WHERE database = currentDatabase()
  AND engine LIKE '%MergeTree'
  AND engine_full NOT LIKE '%auto_statistics_types%'
  AND (SELECT count() FROM system.merge_tree_settings WHERE name = 'auto_statistics_types' AND value != '') > 0
