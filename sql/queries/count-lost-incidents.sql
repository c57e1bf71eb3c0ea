-- Incidents of {cluster} that are open in a generation below {version}. FINAL is allowed on incidents.
SELECT count() AS incidents
FROM incidents FINAL
WHERE cluster = {cluster:String} AND state != 'resolved' AND version < {version:UInt64}
