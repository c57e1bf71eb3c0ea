-- Manifests of one cluster that are older than every kept one, but for the one kept for a roll-back.
DELETE FROM checkpoint_manifests
WHERE cluster_uid = {cluster:String}
    AND (generation, count) < ({generation:UInt32}, {count:UInt64})
    AND (generation, count) != ({keptGeneration:UInt32}, {keptCount:UInt64})
