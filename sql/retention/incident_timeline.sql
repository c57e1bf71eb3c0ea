-- Rows of incident_timeline go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE incident_timeline MODIFY TTL toStartOfMonth(opened_time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
