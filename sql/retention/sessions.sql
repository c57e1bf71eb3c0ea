-- Rows of sessions go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE sessions MODIFY TTL toStartOfMonth(first_time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
