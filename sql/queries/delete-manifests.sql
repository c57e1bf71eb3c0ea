-- Manifests by key, `cluster_uid generation count`: older than every kept one. Primary key: cluster_uid.
DELETE FROM checkpoint_manifests
WHERE cluster_uid IN {clusters:Array(String)}
    AND concat(cluster_uid, ' ', toString(generation), ' ', toString(count)) IN {ids:Array(String)}
