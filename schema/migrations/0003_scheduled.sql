-- A move of a pool that is to happen by itself at a time, as JSON.
ALTER TABLE overrides ADD COLUMN scheduled TEXT;
