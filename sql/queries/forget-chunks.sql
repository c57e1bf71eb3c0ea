-- Every piece of every checkpoint of a cluster that is forgotten or replaced. Primary key: cluster_uid.
DELETE FROM checkpoint_chunks
WHERE cluster_uid = {cluster:String}
