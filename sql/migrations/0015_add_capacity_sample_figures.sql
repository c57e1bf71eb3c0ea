-- One row: as in 0011, with these figures besides. Of a shape: origin (configured | requested) and its share of the pool's pods. Of the
-- pool itself (shape ''): nodes left out by why, phi is then the index weighted by demand, expected waste, and the free-space frontier as
-- JSON [{cpuMillicores, memoryBytes, nodes}], most cpu first.
ALTER TABLE capacity_samples ADD COLUMN IF NOT EXISTS origin LowCardinality(String) AFTER binding,
    ADD COLUMN IF NOT EXISTS demand Float64 CODEC(ZSTD(1)) AFTER origin,
    ADD COLUMN IF NOT EXISTS cordoned_nodes UInt32 AFTER demand,
    ADD COLUMN IF NOT EXISTS not_ready_nodes UInt32 AFTER cordoned_nodes,
    ADD COLUMN IF NOT EXISTS virtual_nodes UInt32 AFTER not_ready_nodes,
    ADD COLUMN IF NOT EXISTS expected_waste_cpu_millicores UInt64 CODEC(Delta, ZSTD(1)) AFTER virtual_nodes,
    ADD COLUMN IF NOT EXISTS expected_waste_memory_bytes UInt64 CODEC(Delta, ZSTD(1)) AFTER expected_waste_cpu_millicores,
    ADD COLUMN IF NOT EXISTS frontier String CODEC(ZSTD(1)) AFTER expected_waste_memory_bytes
