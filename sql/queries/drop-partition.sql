-- A whole partition, all versions of its keys with it, so that no old row comes back.
ALTER TABLE {table:Identifier} DROP PARTITION {partition:String}
