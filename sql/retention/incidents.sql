-- Rows of incidents go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE incidents MODIFY TTL toStartOfMonth(opened_time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
