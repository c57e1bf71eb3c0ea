-- Rows of pod_changes go with their whole partition, {days} after it ends: all versions of a key expire at once.
ALTER TABLE pod_changes MODIFY TTL toDate(observed_time) + toIntervalDay(1) + toIntervalDay({days:UInt32})
