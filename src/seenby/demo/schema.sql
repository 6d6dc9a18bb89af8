-- The user database of a short-video platform, as such a platform's privacy policy describes what it collects.
-- Section 1 is run before the data is loaded, section 2 after it (building an index once is cheaper than keeping it up).
-- A number of an account, video, message ... is region * 10^9 + n, so that no two regions share one (eu 1, us 2).

-- section 1: types and tables ---------------------------------------------------------------------------------------

CREATE TYPE watch_source AS ENUM ('for_you', 'following', 'search', 'profile', 'message');
CREATE TYPE report_reason AS ENUM ('spam', 'harassment', 'self_harm', 'minor_safety', 'copyright', 'impersonation');

CREATE TABLE countries (
    code        char(2) NOT NULL,
    name        text NOT NULL,
    home_region text NOT NULL
);
COMMENT ON TABLE countries IS 'lookup: which region a country''s people belong to; about nobody';

CREATE TABLE staff (
    login       text NOT NULL,
    full_name   text NOT NULL,
    entity      text NOT NULL,
    unit        text NOT NULL,
    hired_on    date NOT NULL
);
COMMENT ON TABLE staff IS 'employees who answer tickets and reports; not users of the platform';

CREATE TABLE sounds (
    id          bigint NOT NULL,
    title       text NOT NULL,
    length_s    smallint NOT NULL
);
COMMENT ON TABLE sounds IS 'licensed music for videos; about nobody';

CREATE TABLE accounts (
    id            bigint NOT NULL,
    handle        varchar(40) NOT NULL,
    display_name  varchar(80) NOT NULL,
    bio           text,
    interests     text[] NOT NULL DEFAULT '{}',
    phone         varchar(20),
    email         varchar(120),
    full_name     varchar(120),
    birth_date    date,
    gender        varchar(10),
    home_region   text NOT NULL,
    country       char(2) NOT NULL,
    language      varchar(8) NOT NULL,
    is_protected  boolean NOT NULL DEFAULT false,
    protected_as  text,
    is_employee   boolean NOT NULL DEFAULT false,
    settings      jsonb NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL
);
COMMENT ON TABLE accounts IS 'one row per person with an account';
COMMENT ON COLUMN accounts.home_region IS 'where this person''s data belongs; some live in another region''s cluster';
COMMENT ON COLUMN accounts.is_protected IS 'journalists, dissidents, people at risk: every look at them is loud';
COMMENT ON COLUMN accounts.interests IS 'what the recommender believes this person likes';

CREATE TABLE credentials (
    account_id     bigint NOT NULL,
    password_hash  text NOT NULL,
    totp_secret    bytea,
    changed_at     timestamptz NOT NULL
);
COMMENT ON TABLE credentials IS 'how a person signs in';

CREATE TABLE devices (
    id          bigint NOT NULL,
    account_id  bigint NOT NULL,
    model       text NOT NULL,
    imei        char(15) NOT NULL,
    ad_id       uuid NOT NULL,
    carrier     text,
    os          text NOT NULL,
    details     jsonb NOT NULL,
    first_seen  timestamptz NOT NULL
);
COMMENT ON COLUMN devices.details IS 'screen, time zone, keyboard languages, battery: what the app reads';

CREATE TABLE logins (
    id          bigint NOT NULL,
    device_id   bigint NOT NULL,
    ip          inet NOT NULL,
    user_agent  text NOT NULL,
    succeeded   boolean NOT NULL,
    at          timestamptz NOT NULL
);
COMMENT ON TABLE logins IS 'belongs to the person whose device it was';

CREATE TABLE positions (
    id          bigint NOT NULL,
    device_id   bigint NOT NULL,
    latitude    double precision NOT NULL,
    longitude   double precision NOT NULL,
    accuracy_m  real NOT NULL,
    at          timestamptz NOT NULL
);

CREATE TABLE videos (
    id          bigint NOT NULL,
    account_id  bigint NOT NULL,
    sound_id    bigint,
    caption     text NOT NULL,
    tags        text[] NOT NULL,
    length_s    smallint NOT NULL,
    views       bigint NOT NULL,
    posted_at   timestamptz NOT NULL,
    visibility  text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'limited', 'hidden'))
);
COMMENT ON TABLE videos IS 'published by their makers for everybody to see';
COMMENT ON COLUMN videos.visibility IS 'moderators limit or hide a video';

CREATE TABLE comments (
    id          bigint NOT NULL,
    video_id    bigint NOT NULL,
    account_id  bigint NOT NULL,
    reply_to    bigint,
    body        text NOT NULL,
    posted_at   timestamptz NOT NULL
);

CREATE TABLE watch_events (
    id          bigint NOT NULL,
    account_id  bigint NOT NULL,
    video_id    bigint NOT NULL,
    source      watch_source NOT NULL,
    watched_s   real NOT NULL,
    finished    boolean NOT NULL,
    at          timestamptz NOT NULL
);
COMMENT ON COLUMN watch_events.watched_s IS 'how long, in seconds; the recommender''s main signal';

CREATE TABLE likes (
    account_id  bigint NOT NULL,
    video_id    bigint NOT NULL,
    at          timestamptz NOT NULL
);

CREATE TABLE shares (
    id          bigint NOT NULL,
    account_id  bigint NOT NULL,
    video_id    bigint NOT NULL,
    target      text NOT NULL,
    at          timestamptz NOT NULL
);

CREATE TABLE follows (
    follower_id  bigint NOT NULL,
    followee_id  bigint NOT NULL,
    since        timestamptz NOT NULL
);
COMMENT ON TABLE follows IS 'two people own each row: who follows, and who is followed';

CREATE TABLE messages (
    id            bigint NOT NULL,
    sender_id     bigint NOT NULL,
    recipient_id  bigint NOT NULL,
    client_uuid   uuid NOT NULL,
    body          text NOT NULL,
    attachment    bytea,
    sent_at       timestamptz NOT NULL,
    read_at       timestamptz
);
COMMENT ON TABLE messages IS 'direct messages: sender and recipient own each row';

CREATE TABLE contacts (
    id                  bigint NOT NULL,
    account_id          bigint NOT NULL,
    name                varchar(120) NOT NULL,
    phone               varchar(20) NOT NULL,
    email               varchar(120),
    matched_account_id  bigint,
    uploaded_at         timestamptz NOT NULL
);
COMMENT ON TABLE contacts IS 'uploaded address books: also about people who never had an account, known by phone only';

CREATE TABLE linked_accounts (
    id             bigint NOT NULL,
    account_id     bigint NOT NULL,
    network        text NOT NULL,
    external_name  text NOT NULL,
    token          text NOT NULL,
    linked_at      timestamptz NOT NULL
);

CREATE TABLE wallets (
    id          bigint NOT NULL,
    account_id  bigint NOT NULL,
    currency    char(3) NOT NULL,
    balance     numeric(12,2) NOT NULL,
    coins       integer NOT NULL
);

CREATE TABLE purchases (
    id         bigint NOT NULL,
    wallet_id  bigint NOT NULL,
    coins      integer NOT NULL,
    price      numeric(12,2) NOT NULL,
    at         timestamptz NOT NULL
);

CREATE TABLE payments (
    id           bigint NOT NULL,
    purchase_id  bigint NOT NULL,
    method       text NOT NULL,
    card_last4   char(4),
    iban         varchar(34),
    payer_name   varchar(120) NOT NULL,
    amount       numeric(12,2) NOT NULL,
    at           timestamptz NOT NULL
);
COMMENT ON TABLE payments IS 'three hops to the person: payment, purchase, wallet, account';

CREATE TABLE faces (
    account_id   bigint NOT NULL,
    template     bytea NOT NULL,
    landmarks    jsonb NOT NULL,
    age_guess    smallint NOT NULL,
    computed_at  timestamptz NOT NULL
);
COMMENT ON TABLE faces IS 'face geometry that effects and age estimation compute';

CREATE TABLE tickets (
    id          bigint NOT NULL,
    reference   varchar(20) NOT NULL,
    account_id  bigint NOT NULL,
    subject     text NOT NULL,
    status      text NOT NULL,
    assignee    text,
    opened_at   timestamptz NOT NULL
);
COMMENT ON TABLE tickets IS 'support cases, opened by the person';

CREATE TABLE ticket_messages (
    id           bigint NOT NULL,
    ticket_id    bigint NOT NULL,
    staff_login  text,
    body         text NOT NULL,
    at           timestamptz NOT NULL
);
COMMENT ON COLUMN ticket_messages.staff_login IS 'who answered; NULL: the person wrote it';

CREATE TABLE reports (
    id           bigint NOT NULL,
    reporter_id  bigint NOT NULL,
    reported_id  bigint NOT NULL,
    video_id     bigint,
    reason       report_reason NOT NULL,
    note         text,
    handled_by   text,
    at           timestamptz NOT NULL
);
COMMENT ON TABLE reports IS 'who reported whom: both own the row';

CREATE TABLE ticket_notes (
    id          bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
    ticket_id   bigint NOT NULL,
    body        text NOT NULL,
    author      text NOT NULL,
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE ticket_notes IS 'what staff write to each other about a case; the person does not see it';

CREATE TABLE moderation_decisions (
    id          bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
    account_id  bigint NOT NULL,
    video_id    bigint,
    measure     text NOT NULL CHECK (measure IN ('none', 'limited', 'hidden', 'suspended')),
    ground      text NOT NULL,
    facts       text NOT NULL,
    automated   boolean NOT NULL,
    decided_by  text NOT NULL,
    decided_at  timestamptz NOT NULL
);
COMMENT ON TABLE moderation_decisions IS 'with the statement of reasons that the Digital Services Act asks for (Article 17)';
COMMENT ON COLUMN moderation_decisions.ground IS 'the law or the term of service that the decision relies on';
COMMENT ON COLUMN moderation_decisions.facts IS 'the facts and circumstances relied on';
COMMENT ON COLUMN moderation_decisions.automated IS 'whether automated means detected or decided it';

-- section 2: keys and indexes ---------------------------------------------------------------------------------------

ALTER TABLE countries ADD PRIMARY KEY (code);
ALTER TABLE staff ADD PRIMARY KEY (login);
ALTER TABLE sounds ADD PRIMARY KEY (id);
ALTER TABLE accounts ADD PRIMARY KEY (id), ADD UNIQUE (handle), ADD UNIQUE (phone), ADD UNIQUE (email);
ALTER TABLE credentials ADD PRIMARY KEY (account_id);
ALTER TABLE devices ADD PRIMARY KEY (id), ADD UNIQUE (imei);
ALTER TABLE logins ADD PRIMARY KEY (id);
ALTER TABLE positions ADD PRIMARY KEY (id);
ALTER TABLE videos ADD PRIMARY KEY (id);
ALTER TABLE comments ADD PRIMARY KEY (id);
ALTER TABLE watch_events ADD PRIMARY KEY (id);
ALTER TABLE likes ADD PRIMARY KEY (account_id, video_id);
ALTER TABLE shares ADD PRIMARY KEY (id);
ALTER TABLE follows ADD PRIMARY KEY (follower_id, followee_id);
ALTER TABLE messages ADD PRIMARY KEY (id);
ALTER TABLE contacts ADD PRIMARY KEY (id);
ALTER TABLE linked_accounts ADD PRIMARY KEY (id);
ALTER TABLE wallets ADD PRIMARY KEY (id), ADD UNIQUE (account_id);
ALTER TABLE purchases ADD PRIMARY KEY (id);
ALTER TABLE payments ADD PRIMARY KEY (id);
ALTER TABLE faces ADD PRIMARY KEY (account_id);
ALTER TABLE tickets ADD PRIMARY KEY (id), ADD UNIQUE (reference);
ALTER TABLE ticket_messages ADD PRIMARY KEY (id);
ALTER TABLE reports ADD PRIMARY KEY (id);
ALTER TABLE ticket_notes ADD PRIMARY KEY (id);
ALTER TABLE moderation_decisions ADD PRIMARY KEY (id);

CREATE INDEX ON devices (account_id);
CREATE INDEX ON logins (device_id);
CREATE INDEX ON logins (ip);
CREATE INDEX ON positions (device_id);
CREATE INDEX ON videos (account_id);
CREATE INDEX ON comments (account_id);
CREATE INDEX ON comments (video_id);
CREATE INDEX ON watch_events (account_id, at);
CREATE INDEX ON watch_events (video_id);
CREATE INDEX ON likes (video_id);
CREATE INDEX ON shares (account_id);
CREATE INDEX ON follows (followee_id);
CREATE INDEX ON messages (sender_id);
CREATE INDEX ON messages (recipient_id);
CREATE INDEX ON contacts (account_id);
CREATE INDEX ON contacts (phone);
CREATE INDEX ON linked_accounts (account_id);
CREATE INDEX ON purchases (wallet_id);
CREATE INDEX ON payments (purchase_id);
CREATE INDEX ON tickets (account_id);
CREATE INDEX ON ticket_messages (ticket_id);
CREATE INDEX ON reports (reporter_id);
CREATE INDEX ON reports (reported_id);
CREATE INDEX ON ticket_notes (ticket_id);
CREATE INDEX ON moderation_decisions (account_id);
CREATE INDEX ON moderation_decisions (video_id);

ALTER TABLE accounts ADD FOREIGN KEY (country) REFERENCES countries;
ALTER TABLE credentials ADD FOREIGN KEY (account_id) REFERENCES accounts;
ALTER TABLE devices ADD FOREIGN KEY (account_id) REFERENCES accounts;
ALTER TABLE logins ADD FOREIGN KEY (device_id) REFERENCES devices;
ALTER TABLE positions ADD FOREIGN KEY (device_id) REFERENCES devices;
ALTER TABLE videos ADD FOREIGN KEY (account_id) REFERENCES accounts, ADD FOREIGN KEY (sound_id) REFERENCES sounds;
ALTER TABLE comments ADD FOREIGN KEY (account_id) REFERENCES accounts, ADD FOREIGN KEY (video_id) REFERENCES videos,
    ADD FOREIGN KEY (reply_to) REFERENCES comments;
ALTER TABLE watch_events ADD FOREIGN KEY (account_id) REFERENCES accounts, ADD FOREIGN KEY (video_id) REFERENCES videos;
ALTER TABLE likes ADD FOREIGN KEY (account_id) REFERENCES accounts, ADD FOREIGN KEY (video_id) REFERENCES videos;
ALTER TABLE shares ADD FOREIGN KEY (account_id) REFERENCES accounts, ADD FOREIGN KEY (video_id) REFERENCES videos;
ALTER TABLE follows ADD FOREIGN KEY (follower_id) REFERENCES accounts, ADD FOREIGN KEY (followee_id) REFERENCES accounts;
ALTER TABLE messages ADD FOREIGN KEY (sender_id) REFERENCES accounts, ADD FOREIGN KEY (recipient_id) REFERENCES accounts;
ALTER TABLE contacts ADD FOREIGN KEY (account_id) REFERENCES accounts,
    ADD FOREIGN KEY (matched_account_id) REFERENCES accounts;
ALTER TABLE linked_accounts ADD FOREIGN KEY (account_id) REFERENCES accounts;
ALTER TABLE wallets ADD FOREIGN KEY (account_id) REFERENCES accounts;
ALTER TABLE purchases ADD FOREIGN KEY (wallet_id) REFERENCES wallets;
ALTER TABLE payments ADD FOREIGN KEY (purchase_id) REFERENCES purchases;
ALTER TABLE faces ADD FOREIGN KEY (account_id) REFERENCES accounts;
ALTER TABLE tickets ADD FOREIGN KEY (account_id) REFERENCES accounts, ADD FOREIGN KEY (assignee) REFERENCES staff;
ALTER TABLE ticket_messages ADD FOREIGN KEY (ticket_id) REFERENCES tickets, ADD FOREIGN KEY (staff_login) REFERENCES staff;
ALTER TABLE reports ADD FOREIGN KEY (reporter_id) REFERENCES accounts, ADD FOREIGN KEY (reported_id) REFERENCES accounts,
    ADD FOREIGN KEY (video_id) REFERENCES videos, ADD FOREIGN KEY (handled_by) REFERENCES staff;
ALTER TABLE ticket_notes ADD FOREIGN KEY (ticket_id) REFERENCES tickets;
ALTER TABLE moderation_decisions ADD FOREIGN KEY (account_id) REFERENCES accounts,
    ADD FOREIGN KEY (video_id) REFERENCES videos;
