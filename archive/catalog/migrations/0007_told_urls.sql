-- Where an export says that a call's recording is: the usual URL, named after the Sid, which the API
-- tells of as well. It is tried before a call is given up. Others are in candidates.
ALTER TABLE calls ADD COLUMN told_url TEXT NOT NULL DEFAULT '';
