-- Rows of coverage go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE coverage MODIFY TTL toStartOfMonth(from_time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
