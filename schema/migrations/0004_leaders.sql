-- Which supervisor leads the pool, as far as SQL is concerned: what only a leader may change is changed where this names it.
ALTER TABLE epochs ADD COLUMN leader TEXT;
