-- Engine of {database}; no row if it is not there.
SELECT engine FROM system.databases WHERE name = {database:String}
