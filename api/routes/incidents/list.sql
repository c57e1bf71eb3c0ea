-- Incidents that were active in [from, to], newest opened first, one page.
-- Parameters
--   db              Identifier
--   from, to        Int64, epoch ms
--   clusters, namespaces, scenarios, causes, states, severities, subject_kinds, subject_names, workloads, images, registries, nodes, pods,
--   parents         Array(String): any of; empty: no filter. Namespaces, nodes and pods also match through a member pod
--   other_kinds     Array(String): subject kinds that are no workload
--   after_opened    Int64, epoch ms, with after_cluster and after_id the key of the last item before; above `to` for the first page
--   limit           UInt32
-- Finds the page by the few columns that decide it, then reads the whole of its rows by their sorting key: evidence is most of the bytes.
-- Reads incidents with FINAL, which design D3 allows here. Index: partitions by opened_time, then the sorting key (cluster, opened_time, id).
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
WHERE (cluster, opened_time, id) IN (
  SELECT cluster, opened_time, id
  FROM {db:Identifier}.incidents FINAL
  WHERE opened_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (resolved_time = fromUnixTimestamp64Milli(0, 'UTC') OR resolved_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC'))
    AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
    AND (empty({scenarios:Array(String)}) OR has({scenarios:Array(String)}, scenario))
    AND (empty({causes:Array(String)}) OR has({causes:Array(String)}, cause))
    AND (empty({states:Array(String)}) OR has({states:Array(String)}, state))
    AND (empty({severities:Array(String)}) OR has({severities:Array(String)}, severity))
    AND (empty({subject_kinds:Array(String)}) OR has({subject_kinds:Array(String)}, subject_kind))
    AND (empty({subject_names:Array(String)}) OR has({subject_names:Array(String)}, subject_name))
    AND (empty({images:Array(String)}) OR has({images:Array(String)}, image))
    AND (empty({registries:Array(String)}) OR has({registries:Array(String)}, registry))
    AND (empty({parents:Array(String)}) OR has({parents:Array(String)}, parent))
    AND (
      empty({workloads:Array(String)})
      OR (
        NOT has({other_kinds:Array(String)}, subject_kind)
        AND hasAny({workloads:Array(String)}, [subject_name, concat(subject_kind, '/', subject_name), concat(subject_kind, '/', subject_namespace, '/', subject_name)])
      )
    )
    AND (
      (
        empty({pods:Array(String)})
        AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, subject_namespace))
        AND (empty({nodes:Array(String)}) OR has({nodes:Array(String)}, node))
      )
      OR (cluster, id) IN (
        SELECT cluster, incident_id
        FROM {db:Identifier}.incident_members
        WHERE (notEmpty({namespaces:Array(String)}) OR notEmpty({nodes:Array(String)}) OR notEmpty({pods:Array(String)}))
          AND opened_time <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
          AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
          AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, pod_namespace))
          AND (empty({nodes:Array(String)}) OR has({nodes:Array(String)}, node))
          AND (empty({pods:Array(String)}) OR has({pods:Array(String)}, pod_name) OR has({pods:Array(String)}, pod_uid))
      )
    )
    AND (
      opened_time < fromUnixTimestamp64Milli({after_opened:Int64}, 'UTC')
      OR (opened_time = fromUnixTimestamp64Milli({after_opened:Int64}, 'UTC') AND (cluster, id) > ({after_cluster:String}, {after_id:String}))
    )
  ORDER BY opened_time DESC, cluster, id
  LIMIT {limit:UInt32}
)
ORDER BY opened_time DESC, cluster, id
LIMIT {limit:UInt32}
