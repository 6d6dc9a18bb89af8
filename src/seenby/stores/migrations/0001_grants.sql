-- The control database is a queue and a cache. What a grant may do follows from the ledger's events and from documents
-- that match their commitments there; whoever edits these tables gains nothing, and a gateway says so (docs/formats/grant.md).

CREATE TABLE grants (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    terms bytea NOT NULL,            -- canonical JSON
    opening bytea NOT NULL,          -- 32 bytes; HMAC-SHA256(opening, terms) stands in the ledger
    requester_key bytea NOT NULL,    -- key id, 8 bytes
    requester_signature bytea NOT NULL,
    status text NOT NULL,            -- a copy for readers; the gateway writes it anew from the ledger
    requested_at bigint NOT NULL,    -- Unix seconds
    changed_at bigint NOT NULL
);

-- What people signed about a grant after its request.
CREATE TABLE decisions (
    grant_id text NOT NULL REFERENCES grants ON DELETE CASCADE,
    verb text NOT NULL CHECK (verb IN ('approve', 'deny', 'revoke')),
    key_id bytea NOT NULL,
    name text NOT NULL,
    signature bytea NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (grant_id, verb, key_id)
);

-- What the protection officer must be told.
CREATE TABLE notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    kind text NOT NULL,              -- 'protected person', 'tampering', 'ended'...
    grant_id text NOT NULL,
    principal text NOT NULL,
    text text NOT NULL,
    UNIQUE (kind, grant_id, principal, text)
);
