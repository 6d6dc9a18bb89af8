-- The key store: nothing in here opens without the KMS, and nothing names a person (docs/formats/ledger.md, "Key store").

CREATE TABLE deks (
    generation integer PRIMARY KEY,
    kek text NOT NULL UNIQUE,        -- its name in the KMS
    wrapped bytea NOT NULL,          -- data key and index key, wrapped by the KMS; empty when destroyed
    made double precision NOT NULL,  -- Unix seconds, as all of these
    closed double precision,         -- from then on no new row is under it
    retired double precision,        -- no row is under it any more
    destroyed double precision       -- the KEK is gone from the KMS
);

CREATE TABLE person_keys (
    id bytea NOT NULL CHECK (length(id) = 16),           -- HMAC-SHA-256(index key, person)[:16]
    version smallint NOT NULL CHECK (version BETWEEN 1 AND 255),
    generation integer NOT NULL,
    wrapped bytea NOT NULL CHECK (length(wrapped) = 60), -- nonce, AES-256-GCM of the key
    PRIMARY KEY (id, version)
);
ALTER TABLE person_keys ALTER COLUMN wrapped SET STORAGE PLAIN;
