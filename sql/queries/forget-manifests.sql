-- Every checkpoint of a cluster that is forgotten or replaced. Primary key: cluster_uid.
DELETE FROM checkpoint_manifests
WHERE cluster_uid = {cluster:String}
