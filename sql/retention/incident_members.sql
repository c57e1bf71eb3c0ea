-- Rows of incident_members go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE incident_members MODIFY TTL toStartOfMonth(opened_time) + toIntervalMonth(1) + toIntervalDay({days:UInt32})
