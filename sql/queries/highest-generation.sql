-- Highest generation of any checkpoint of one cluster; 0 if there is none.
SELECT max(generation) AS generation
FROM checkpoint_manifests
WHERE cluster_uid = {cluster:String}
