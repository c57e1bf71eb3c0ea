-- One incident by its id, which is a hash over the cluster's uid too; the newest, should the same fact have opened it again.
-- Parameters
--   db              Identifier
--   id              String
-- Reads incidents with FINAL, which design D3 allows here. Index: skip index incident_id.
SELECT
  cluster, id, scenario, cause, detail, flags, confidence, severity, state, resolution,
  subject_kind, subject_namespace, subject_name, subject_container, image, registry, node, claim,
  pods, failing_pods, impact,
  toUnixTimestamp64Milli(first_symptom_time) AS first_symptom_ms,
  toUnixTimestamp64Milli(opened_time) AS opened_ms,
  toUnixTimestamp64Milli(updated_time) AS updated_ms,
  toUnixTimestamp64Milli(resolved_time) AS resolved_ms,
  flaps, summary, evidence, suspected_change, superseded_by, parent
FROM {db:Identifier}.incidents FINAL
WHERE id = {id:String}
ORDER BY opened_time DESC, cluster, id
LIMIT 1
