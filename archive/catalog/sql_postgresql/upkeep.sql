-- What only a server is asked.

-- name: bytes_of_catalog()^
-- What the tables and their indexes take on its disk.
SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0) FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = CAST('calls' AS regclass));

-- name: server_ms()^
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT);

-- name: reads_only()^
-- A standby, which follows another server.
SELECT pg_is_in_recovery();

-- name: migration()^
SELECT COALESCE(MAX(version), 0) FROM catalog_version;

-- name: quick_check()
-- The server looks after its files: see its own pg_amcheck and checksums.
SELECT 'ok';

-- name: is_made()^
-- Whether any callvault has made its tables here.
SELECT EXISTS (
  SELECT 1 FROM pg_class WHERE relname = 'catalog_version' AND pg_table_is_visible(oid)
);
