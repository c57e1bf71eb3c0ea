-- One row: as in 0011. row_version lets the rows of a generation that is being replaced be found without reading the others (design D3).
ALTER TABLE capacity_samples ADD INDEX IF NOT EXISTS row_version version TYPE minmax GRANULARITY 1
