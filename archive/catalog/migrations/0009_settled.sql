-- How fast calls are settled, by account, which the warnings of deletions are reckoned from.
CREATE INDEX calls_settled ON calls (account, settled_ms, state, looks) WHERE settled_ms IS NOT NULL;
