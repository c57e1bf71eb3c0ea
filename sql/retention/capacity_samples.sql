-- Rows of capacity_samples go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE capacity_samples MODIFY TTL toStartOfMonth(time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
