-- Rows of disruptions go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE disruptions MODIFY TTL toStartOfMonth(time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
