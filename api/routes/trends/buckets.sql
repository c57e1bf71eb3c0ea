-- The five measures of incidents per bucket and group, and as bucket number `count` those of all buckets together. Used twice a request: over
-- one bucket as long as the range to find the largest groups, then per bucket for these and the rest as one.
-- Parameters
--   db              Identifier
--   start           Int64, epoch ms: start of the first bucket
--   step            Int64, ms; with count buckets
--   count           Int64
--   now             Int64, epoch ms: an incident that is not resolved lasts until now
--   dimension       String: what to group by; one of the words below, anything else is one group
--   every           UInt8: 1: each group by itself; 0: those in `groups`, and the rest as one with other = 1
--   groups          Array(String)
--   with_pods       UInt8: 0: leave affected_pods at 0 and spare the reading of members
--   opened_from     Int64, epoch ms: no incident of interest opened before; bounds the members that are read
--   rank            String: the measure that the groups of a bucket are ordered by, largest first
--   limit           UInt32
--   clusters, namespaces, scenarios, causes, states, severities, subject_kinds, subject_names, workloads, images, registries, nodes, pods,
--   parents, other_kinds
--                   as in ../incidents/list.sql; test/sql/lint.test.ts holds both filters to each other
-- An incident touches a bucket if it lasted in it or opened in it. incident_ms is clipped to the bucket. repaired counts what was resolved in
-- the bucket, not superseded or lost sight of, and repair_ms sums how long it took. affected_pods counts distinct failing member pods, by hash.
-- Reads incidents with FINAL, which design D3 allows here, and members by argMax(…, version). Index: partitions by opened_time, cluster.
WITH
  heads AS (
    SELECT
      cluster, id, resolution, value,
      {every:UInt8} = 1 OR has({groups:Array(String)}, value) AS named,
      toUnixTimestamp64Milli(opened_time) AS opened,
      toUnixTimestamp64Milli(resolved_time) AS resolved
    FROM (
      SELECT
        cluster, id, resolution, opened_time, resolved_time,
        multiIf(
          {dimension:String} = 'cluster', cluster,
          {dimension:String} = 'namespace', subject_namespace,
          {dimension:String} = 'scenario', scenario,
          {dimension:String} = 'cause', concat(scenario, '/', cause),
          {dimension:String} = 'severity', severity,
          {dimension:String} = 'workload',
            if(has({other_kinds:Array(String)}, subject_kind), '', concat(subject_kind, '/', subject_namespace, '/', subject_name)),
          {dimension:String} = 'image', image,
          {dimension:String} = 'registry', registry,
          {dimension:String} = 'node', node,
          '') AS value
      FROM {db:Identifier}.incidents FINAL
      WHERE opened_time < fromUnixTimestamp64Milli({start:Int64} + {step:Int64} * {count:Int64}, 'UTC')
        AND (resolved_time = fromUnixTimestamp64Milli(0, 'UTC') OR resolved_time >= fromUnixTimestamp64Milli({start:Int64}, 'UTC'))
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
              AND opened_time < fromUnixTimestamp64Milli({start:Int64} + {step:Int64} * {count:Int64}, 'UTC')
              AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
              AND (empty({namespaces:Array(String)}) OR has({namespaces:Array(String)}, pod_namespace))
              AND (empty({nodes:Array(String)}) OR has({nodes:Array(String)}, node))
              AND (empty({pods:Array(String)}) OR has({pods:Array(String)}, pod_name) OR has({pods:Array(String)}, pod_uid))
          )
        )
    )
  ),
  members AS (
    SELECT cluster, incident_id, groupArray((pod, first, last)) AS pods
    FROM (
      SELECT
        cluster, incident_id,
        sipHash64(cluster, pod_uid) AS pod,
        argMax(toUnixTimestamp64Milli(first_time), version) AS first,
        if(argMax(state, version) IN ('recovered', 'gone'), argMax(toUnixTimestamp64Milli(last_time), version), {now:Int64}) AS last
      FROM {db:Identifier}.incident_members
      WHERE {with_pods:UInt8} = 1
        AND opened_time >= fromUnixTimestamp64Milli({opened_from:Int64}, 'UTC')
        AND opened_time < fromUnixTimestamp64Milli({start:Int64} + {step:Int64} * {count:Int64}, 'UTC')
        AND (empty({clusters:Array(String)}) OR has({clusters:Array(String)}, cluster))
      GROUP BY cluster, incident_id, pod_uid
    )
    GROUP BY cluster, incident_id
  ),
  lives AS (
    SELECT
      resolution, if(named, value, '') AS name, named, opened, resolved,
      greatest(opened, if(resolved = 0, {now:Int64}, resolved)) AS ended,
      members.pods AS pods
    FROM heads
    LEFT JOIN members ON members.cluster = heads.cluster AND members.incident_id = heads.id
  ),
  numbered AS (
    SELECT
      resolution, name, named, opened, resolved, ended, pods,
      arrayJoin(arrayPushBack(
        range(
          toUInt32(intDiv(greatest(opened - {start:Int64}, 0), {step:Int64})),
          toUInt32(least(intDiv(greatest(ended - {start:Int64}, 0), {step:Int64}) + 1, {count:Int64}))),
        toUInt32({count:Int64}))) AS bucket
    FROM lives
  ),
  parts AS (
    SELECT
      bucket, resolution, name, named, opened, resolved, ended, pods,
      {start:Int64} + if(bucket = {count:Int64}, 0, bucket) * {step:Int64} AS begin,
      {start:Int64} + if(bucket = {count:Int64}, bucket, bucket + 1) * {step:Int64} AS end
    FROM numbered
  )
SELECT
  bucket, name, NOT named AS other,
  countIf(opened >= begin AND opened < end) AS opened_count,
  countIf((opened >= begin AND opened < end) OR ended > begin) AS active,
  uniqExactArray(arrayMap(
    pod -> pod.1,
    arrayFilter(pod -> greatest(pod.2, opened) < end AND (greatest(pod.2, opened) >= begin OR least(pod.3, ended) > begin), pods))) AS affected_pods,
  sum(greatest(least(ended, end) - greatest(opened, begin), 0)) AS incident_ms,
  countIf(resolved >= begin AND resolved < end AND resolution NOT IN ('superseded', 'unknown')) AS repaired_count,
  sumIf(resolved - opened, resolved >= begin AND resolved < end AND resolution NOT IN ('superseded', 'unknown')) AS repair_sum_ms,
  min(min(opened)) OVER () AS opened_min
FROM parts
GROUP BY bucket, name, named
ORDER BY
  bucket,
  multiIf(
    {rank:String} = 'opened', toFloat64(opened_count),
    {rank:String} = 'active', toFloat64(active),
    {rank:String} = 'affectedPods', toFloat64(affected_pods),
    {rank:String} = 'mttrSeconds', if(repaired_count = 0, -1, repair_sum_ms / repaired_count),
    toFloat64(incident_ms)) DESC,
  named DESC, name
LIMIT {limit:UInt32}
