-- What is stored of a cluster by its name or its uid. FINAL: a handful of rows.
SELECT cluster, cluster_uid
FROM clusters FINAL
WHERE cluster = {name:String} OR cluster_uid = {uid:String}
