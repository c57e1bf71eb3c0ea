-- Days of the TTL of every table, as sql/retention set them; 0 without a TTL.
SELECT name, toUInt32OrZero(extract(engine_full, 'toIntervalDay\\((?:_CAST\\()?(\\d+)(?:, \'UInt32\'\\))?\\) SETTINGS')) AS days
FROM system.tables
WHERE database = currentDatabase()
