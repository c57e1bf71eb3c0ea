-- Rows of events go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE events MODIFY TTL toStartOfMonth(first_time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
