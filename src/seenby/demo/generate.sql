-- The demo's people and what they do, as functions of a row number and a seed: the same seed gives the same rows.
-- ":people", ":seed", ":region", ":foreign" and ":today" are filled in by generate.py. Each block that starts with
-- "-- @ TABLE DRIVER WEIGHT" is one INSERT; it runs in chunks, $1..$2 of 1..DRIVER * :people, and makes about WEIGHT
-- rows a number. Everything is fictitious: phones come from the ranges that regulators keep for films (ComReg 020 91x xxxx,
-- ARCEP 06 39 98 xx xx, NANPA 555-01xx) and then from the unassigned country code +999, mail from RFC 2606's domains,
-- IP addresses from 10/8, 100.64/10 (RFC 6598) and 198.18/15 (RFC 2544), IMEIs from the test range 00.

-- functions
CREATE SCHEMA gen;

-- Uniform in [0, 1).
CREATE FUNCTION gen.u(n bigint, salt int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, :seed * 1000 + salt) & 9007199254740991)::double precision / 9007199254740992;

-- An integer in [0, below).
CREATE FUNCTION gen.i(n bigint, salt int, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN floor(gen.u(n, salt) * below)::bigint;

-- Standard normal (Box and Muller).
CREATE FUNCTION gen.z(n bigint, salt int) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sqrt(-2 * ln(1 - gen.u(n, salt))) * cos(6.283185307179586 * gen.u(n, salt + 500));

CREATE FUNCTION gen.pick(n bigint, salt int, among text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN among[1 + gen.i(n, salt, cardinality(among))];

-- Row n of anything -> its id: no two regions share one.
CREATE FUNCTION gen.id(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN :region * 1000000000::bigint + n;

-- 0..below-1 -> 1..below, one to one and without order: 2^31 - 1 is prime.
CREATE FUNCTION gen.shuffle(rank bigint, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (rank * 2147483647 + 7) % below + 1;

-- An account, 1..people; a few are very active, many hardly.
CREATE FUNCTION gen.who(n bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN gen.shuffle(floor(:people * gen.u(n, salt) ^ 2)::bigint, :people);

-- Whom account a writes to: one of four.
CREATE FUNCTION gen.friend(a bigint, k bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (a + gen.i(a * 4 + k % 4, 1, :people - 1)) % :people + 1;

-- A device, 1..1.5 * people: device d <= people is account d's first.
CREATE FUNCTION gen.device(n bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN gen.u(n, salt + 200) < 0.8 THEN gen.who(n, salt) ELSE 1 + gen.i(n, salt, :people * 3 / 2) END;

CREATE FUNCTION gen.owner(device bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN device <= :people THEN device ELSE gen.who(device, 2) END;

-- A video, 1..1.5 * people, popular ones first (Zipf: density 1/rank).
CREATE FUNCTION gen.video(n bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN gen.shuffle(floor(exp(gen.u(n, salt) * ln((:people * 3 / 2)::double precision)))::bigint - 1, :people * 3 / 2);

-- share in [0, 1) of the last 90 days, at a time of day that peaks in the evening.
CREATE FUNCTION gen.at(share double precision, n bigint, salt int) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp(:today - 86400 * (90 - floor(share * 90))
    + (86400 * (1.35 + 0.45 * (gen.u(n, salt) + gen.u(n, salt + 300))))::int % 86400);

CREATE FUNCTION gen.is_foreign(a bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN a > 100 AND gen.u(a, 3) < 0.02;

CREATE FUNCTION gen.place(a bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN gen.i(a, 4, 12) + CASE WHEN (:region = 1) <> gen.is_foreign(a) THEN 1 ELSE 13 END;

CREATE FUNCTION gen.first_name(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN gen.pick(n, 5, '{Ada,Amir,Anna,Bruno,Carla,Chloe,Clara,Dario,Diego,Ebba,Elena,Emil,Eva,Felix,Freya,Greta,Hanna,Hugo,Ines,Iris,
Ivan,Jonas,Julia,Karim,Lara,Lea,Leo,Lina,Luca,Maja,Marco,Mara,Mila,Nadia,Nils,Nina,Noah,Nora,Olga,Oscar,Paula,Pia,Rafael,Rosa,
Samir,Sara,Sofia,Theo,Tom,Vera,Yara,Zoe}');

CREATE FUNCTION gen.last_name(n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN gen.pick(n, 6, '{Abel,Adler,Amato,Bakker,Barth,Berg,Bianchi,Blanc,Brandt,Byrne,Caruso,Castro,Costa,Dahl,Diaz,Doyle,Dubois,
Eder,Ferrari,Fischer,Fontaine,Garcia,Greco,Haas,Hansen,Horvat,Jansen,Keller,Kelly,Kovac,Kowalski,Lange,Larsen,Lopez,Marin,Martin,
Meyer,Moreau,Nagy,Navarro,Novak,Olsen,Petit,Ricci,Romano,Roux,Ruiz,Sanders,Silva,Torres,Vidal,Weber,Winter,Young}');

CREATE FUNCTION gen.phone(a bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN gen.is_foreign(a) THEN '+999' || :foreign || lpad(a::text, 8, '0')
    WHEN :region = 1 AND a % 2 = 0 AND a < 20000 THEN '+3363998' || lpad((a / 2)::text, 4, '0')
    WHEN :region = 1 AND a < 100000 THEN '+3532091' || lpad(a::text, 5, '0')
    WHEN :region = 2 AND a < 78000 THEN '+1' || (201 + a / 100)::text || '55501' || lpad((a % 100)::text, 2, '0')
    ELSE '+999' || :region || lpad(a::text, 8, '0')
END;

CREATE FUNCTION gen.phrase(n bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN gen.pick(n, salt, '{this made my day,how did you film this,see you at eight?,call me when you can,the train is late again,
which song is that,I tried it and it works,please post part two,are you coming on Sunday,my sister sent me this,
that is so true,I cannot stop watching,where is this place,wait for the end,do you still have my keys,happy birthday!,
not again,what camera is that,good luck tomorrow,I left you a voice note}');

-- @ countries 0 24
INSERT INTO countries VALUES
    ('IE', 'Ireland', 'eu'), ('DE', 'Germany', 'eu'), ('FR', 'France', 'eu'), ('ES', 'Spain', 'eu'), ('IT', 'Italy', 'eu'),
    ('PL', 'Poland', 'eu'), ('NL', 'Netherlands', 'eu'), ('SE', 'Sweden', 'eu'), ('PT', 'Portugal', 'eu'),
    ('AT', 'Austria', 'eu'), ('NO', 'Norway', 'eu'), ('GR', 'Greece', 'eu'), ('US', 'United States', 'us'),
    ('CN', 'China', 'cn'), ('SG', 'Singapore', 'sg');

-- @ staff 0 20
INSERT INTO staff VALUES
    ('aoife.byrne', 'Aoife Byrne', 'Orbit Ireland Ltd', 'support', '2023-02-01'),
    ('sean.keane', 'Sean Keane', 'Orbit Ireland Ltd', 'support', '2022-09-12'),
    ('lotte.maes', 'Lotte Maes', 'Orbit Ireland Ltd', 'trust and safety', '2024-04-02'),
    ('ben.ortiz', 'Ben Ortiz', 'Orbit USA Inc', 'support', '2021-06-07'),
    ('kim.harlan', 'Kim Harlan', 'Orbit USA Inc', 'trust and safety', '2023-11-20'),
    ('wei.chen', 'Wei Chen', 'Orbit Beijing Technology Co Ltd', 'engineering', '2019-03-18'),
    ('dana.price', 'Dana Price', 'Orbit USA Inc', 'internal audit', '2020-01-13');

-- @ sounds 0 500
INSERT INTO sounds
SELECT gen.id(n), initcap(gen.pick(n, 10, '{slow,neon,paper,silver,lost,summer,midnight,plastic,golden,second}') || ' '
    || gen.pick(n, 11, '{river,heart,city,dance,signal,garden,mirror,weekend,ocean,letter}')) || ' (' || n || ')', 15 + gen.i(n, 12, 45)
FROM generate_series(1, 500) n;

-- @ accounts 1 1
INSERT INTO accounts
SELECT gen.id(n),
    lower(first_name) || gen.pick(n, 20, '{.,_,""}') || gen.pick(n, 21, '{films,cooks,dances,travels,draws,runs,plays,reads,makes,sings}') || n,
    first_name || gen.pick(n, 22, '{"",""," ☀"," ♫"," (real)"}'),
    CASE WHEN gen.u(n, 23) < 0.6 THEN gen.phrase(n, 24) END,
    (ARRAY['food', 'football', 'music', 'news', 'fashion', 'games', 'politics', 'fitness', 'travel', 'science', 'cats'])
        [1 + gen.i(n, 25, 6) : 3 + gen.i(n, 25, 6) + gen.i(n, 26, 4)],
    gen.phone(n),
    lower(first_name) || '.' || lower(last_name) || n || '@' || gen.pick(n, 27, '{example.com,example.org,example.net,mail.example}'),
    first_name || ' ' || last_name,
    DATE '2011-01-01' - (gen.u(n, 28) * gen.u(n, 29) * 18000)::int,
    gen.pick(n, 30, '{female,male,female,male,other,unsaid}'),
    CASE WHEN (:region = 1) <> gen.is_foreign(n) THEN 'eu' ELSE 'us' END,
    (ARRAY['IE', 'DE', 'FR', 'ES', 'IT', 'PL', 'NL', 'SE', 'PT', 'AT', 'NO', 'GR'] || array_fill('US'::text, ARRAY[12]))[gen.place(n)],
    (ARRAY['en', 'de', 'fr', 'es', 'it', 'pl', 'nl', 'sv', 'pt', 'de', 'nb', 'el'] || array_fill('en'::text, ARRAY[12]))[gen.place(n)],
    n > 100 AND gen.u(n, 31) < 0.001,
    CASE WHEN n > 100 AND gen.u(n, 31) < 0.001 THEN gen.pick(n, 32, '{journalist,activist,witness}') END,
    n > 100 AND gen.u(n, 33) < 0.002,
    jsonb_build_object('private', gen.u(n, 34) < 0.3, 'ads', gen.u(n, 35) < 0.9),
    to_timestamp(:today - 86400 * 90 - 86400 * 1500 * gen.u(n, 36))
FROM generate_series($1::bigint, $2::bigint) n,
    LATERAL (SELECT gen.first_name(n) AS first_name, gen.last_name(n) AS last_name) name;

-- @ credentials 1 1
INSERT INTO credentials
SELECT gen.id(n), '$scrypt$16384,8,1$' || encode(sha256(int8send(hashint8extended(n, 40))), 'base64'),
    CASE WHEN gen.u(n, 41) < 0.15 THEN substr(sha256(int8send(hashint8extended(n, 42))), 1, 20) END,
    gen.at(gen.u(n, 43), n, 44)
FROM generate_series($1::bigint, $2::bigint) n;

-- @ devices 1.5 1
INSERT INTO devices
SELECT gen.id(n), gen.id(gen.owner(n)),
    gen.pick(n, 50, '{Aria 7,Aria 7 Pro,Nova X,Nova X Lite,Pebble 12,Pebble 13,Pebble 13 Max,Tern 5G,Tab One,Lumen 4}'),
    '00' || :region || lpad(n::text, 12, '0'),
    encode(substr(sha256(int8send(hashint8extended(n, :seed))), 1, 16), 'hex')::uuid,
    gen.pick(n, 51, '{North Mobile,Redwire,Telestar,Kite,Unicell,Blue Line,NULL}'),
    gen.pick(n, 52, '{Android 14,Android 15,Android 16,iOS 17.6,iOS 18.5,iOS 26.1}'),
    jsonb_build_object('screen', gen.pick(n, 53, '{1080x2400,1170x2532,1290x2796,720x1600}'), 'battery', gen.i(n, 54, 101),
        'keyboards', ARRAY[(ARRAY['en', 'de', 'fr', 'es'])[1 + gen.i(n, 55, 4)], 'en'], 'rooted', gen.u(n, 56) < 0.01),
    gen.at(gen.u(n, 57), n, 58)
FROM generate_series($1::bigint, $2::bigint) n;

-- @ logins 6 1
INSERT INTO logins
SELECT gen.id(n), gen.id(device),
    CASE WHEN gen.u(n, 62) < 0.6 THEN '10.0.0.0'::inet + (:region * 4194304 + hashint8extended(device, 7) & 4194303)
        WHEN gen.u(n, 62) < 0.9 THEN '100.64.0.0'::inet + gen.i(n, 63, 4194304)
        ELSE '198.18.0.0'::inet + gen.i(n, 63, 131072) END,
    gen.pick(device, 64, '{Shorts/41.2 (Android),Shorts/41.3 (Android),Shorts/41.2 (iOS),Mozilla/5.0 (X11; Linux) Firefox/144.0}'),
    gen.u(n, 65) < 0.97,
    gen.at((n - 1) / (6.0 * :people), n, 66)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT gen.device(n, 61) AS device OFFSET 0) d;

-- @ positions 8 1
INSERT INTO positions
SELECT gen.id(n), gen.id(device),
    round((('{53.35,52.52,48.86,40.42,41.9,52.23,52.37,59.33,38.72,48.21,59.91,37.98,40.71,34.05,41.88,29.76,33.45,39.95,29.42,32.72,
32.78,30.27,47.61,39.74}'::double precision[])[gen.place(gen.owner(device))] + 0.06 * gen.z(device, 71) + 0.01 * gen.z(n, 72))::numeric, 5),
    round((('{-6.26,13.4,2.35,-3.7,12.5,21.01,4.9,18.07,-9.14,16.37,10.75,23.73,-74.01,-118.24,-87.63,-95.37,-112.07,-75.17,-98.49,
-117.16,-96.8,-97.74,-122.33,-104.99}'::double precision[])[gen.place(gen.owner(device))] + 0.09 * gen.z(device, 73) + 0.01 * gen.z(n, 74))::numeric, 5),
    exp(2 + gen.z(n, 75)), gen.at((n - 1) / (8.0 * :people), n, 76)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT gen.device(n, 70) AS device OFFSET 0) d;

-- @ videos 1.5 1
INSERT INTO videos
SELECT gen.id(gen.shuffle(n - 1, :people * 3 / 2)), gen.id(gen.who(n, 80)),
    CASE WHEN gen.u(n, 81) < 0.8 THEN gen.id(1 + floor(500 * gen.u(n, 82) ^ 3)::bigint) END,
    gen.phrase(n, 83), ARRAY[gen.pick(n, 84, '{cats,dance,recipe,football,diy}'), gen.pick(n, 85, '{fyp,learn,comedy,travel}')],
    least(600, 6 + exp(3 + 0.8 * gen.z(n, 86))), 3000 * :people / (n + 3) + gen.i(n, 87, 900), gen.at(gen.u(n, 88), n, 89)
FROM generate_series($1::bigint, $2::bigint) n;

-- @ comments 4 1
INSERT INTO comments
SELECT gen.id(n), gen.id(gen.video(thread, 90)), gen.id(gen.who(n, 91)), CASE WHEN (n - 1) % 5 > 2 THEN gen.id(thread) END,
    gen.phrase(n, 92), gen.at((n - 1) / (4.0 * :people), n, 93)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT n - (n - 1) % 5 AS thread) t;

-- @ watch_events 50 1
INSERT INTO watch_events
SELECT gen.id(n), gen.id(gen.who(n, 100)), gen.id(gen.video(n, 101)),
    ('{for_you,for_you,for_you,for_you,for_you,for_you,following,following,search,profile,message}'::watch_source[])[1 + gen.i(n, 102, 11)],
    watched_s, watched_s > 25, gen.at((n - 1) / (50.0 * :people), n, 103)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT least(600, exp(2.2 + gen.z(n, 104)))::real AS watched_s OFFSET 0) w;

-- @ likes 1 9
INSERT INTO likes
SELECT gen.id(n), gen.id(video), gen.at(max(gen.u(n * 4096 + k, 110)), n, 111)
FROM generate_series($1::bigint, $2::bigint) n, generate_series(1, least(2000, exp(1.8 + gen.z(n, 112)))::int) k,
    LATERAL (SELECT gen.video(n * 4096 + k, 113) AS video) v
GROUP BY n, video;

-- @ shares 1.5 1
INSERT INTO shares
SELECT gen.id(n), gen.id(gen.who(n, 120)), gen.id(gen.video(n, 121)), gen.pick(n, 122, '{message,link,other app,download}'),
    gen.at((n - 1) / (1.5 * :people), n, 123)
FROM generate_series($1::bigint, $2::bigint) n;

-- @ follows 1 8
INSERT INTO follows
SELECT gen.id(n), gen.id(followee), gen.at(max(gen.u(n * 4096 + k, 130)), n, 131)
FROM generate_series($1::bigint, $2::bigint) n, generate_series(1, least(2000, exp(1.8 + gen.z(n, 132)))::int) k,
    LATERAL (SELECT gen.who(n * 4096 + k, 133) AS followee) f
WHERE followee <> n GROUP BY n, followee;

-- @ messages 5 1
INSERT INTO messages
SELECT gen.id(n), gen.id(CASE WHEN reply THEN friend ELSE writer END), gen.id(CASE WHEN reply THEN writer ELSE friend END),
    encode(substr(sha256(int8send(hashint8extended(n, :seed + 1))), 1, 16), 'hex')::uuid, gen.phrase(n, 140),
    CASE WHEN gen.u(n, 141) < 0.02 THEN sha256(int8send(n)) END, at, CASE WHEN gen.u(n, 142) < 0.9 THEN at + interval '1 hour' * gen.u(n, 143) END
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT gen.who(n, 144) AS writer, gen.u(n, 145) < 0.5 AS reply,
    gen.at((n - 1) / (5.0 * :people), n, 146) AS at OFFSET 0) w, LATERAL (SELECT gen.friend(writer, n) AS friend OFFSET 0) f;

-- @ contacts 4 1
INSERT INTO contacts
SELECT gen.id(n), gen.id(account), gen.first_name(CASE WHEN known THEN friend ELSE -stranger END) || ' '
        || gen.last_name(CASE WHEN known THEN friend ELSE -stranger END),
    CASE WHEN known THEN gen.phone(friend) ELSE '+9990' || :region || lpad(stranger::text, 8, '0') END,
    CASE WHEN gen.u(n, 150) < 0.3 THEN 'contact' || n || '@mail.example' END,
    CASE WHEN known THEN gen.id(friend) END, gen.at(gen.u(account, 151), account, 152)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT gen.who(n, 153) AS account, gen.u(n, 154) < 0.4 AS known,
    floor(3 * :people * gen.u(n, 155) ^ 2)::bigint AS stranger OFFSET 0) c, LATERAL (SELECT gen.friend(account, n) AS friend OFFSET 0) f;

-- @ linked_accounts 0.4 1
INSERT INTO linked_accounts
SELECT gen.id(n), gen.id(gen.who(n, 160)), gen.pick(n, 161, '{Chirp,Facepage,Photogram,Streamly}'),
    lower(gen.first_name(n)) || gen.i(n, 162, 9999), 'tok_' || encode(sha256(int8send(hashint8extended(n, 163))), 'hex'), gen.at(gen.u(n, 164), n, 165)
FROM generate_series($1::bigint, $2::bigint) n;

-- @ wallets 1 1
INSERT INTO wallets
SELECT gen.id(n), gen.id(n), CASE WHEN (:region = 1) <> gen.is_foreign(n) THEN 'EUR' ELSE 'USD' END,
    CASE WHEN gen.u(n, 170) < 0.2 THEN exp(1 + gen.z(n, 171)) ELSE 0 END, CASE WHEN gen.u(n, 172) < 0.3 THEN gen.i(n, 173, 5000) ELSE 0 END
FROM generate_series($1::bigint, $2::bigint) n;

-- @ purchases 0.5 1
INSERT INTO purchases
SELECT gen.id(n), gen.id(gen.who(n, 180)), coins, round(coins * 0.0129, 2), gen.at((n - 1) / (0.5 * :people), n, 181)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT ('{70,70,70,350,350,700,1400,7000}'::int[])[1 + gen.i(n, 182, 8)] AS coins OFFSET 0) c;

-- @ payments 0.5 1
INSERT INTO payments
SELECT gen.id(n), gen.id(n), CASE WHEN card THEN 'card' ELSE 'transfer' END, CASE WHEN card THEN lpad(gen.i(payer, 190, 10000)::text, 4, '0') END,
    CASE WHEN NOT card THEN 'ZZ' || (10 + gen.i(payer, 191, 89)) || 'DEMO' || lpad(gen.i(payer, 192, 99999999999999)::text, 14, '0') END,
    gen.first_name(payer) || ' ' || gen.last_name(payer), p.price, p.at
FROM generate_series($1::bigint, $2::bigint) n JOIN purchases p ON p.id = gen.id(n),
    LATERAL (SELECT gen.who(n, 180) AS payer, gen.u(n, 193) < 0.8 AS card OFFSET 0) w;

-- @ faces 0.25 1
INSERT INTO faces
SELECT gen.id(account), sha256(int8send(h)) || sha256(int8send(h + 1)) || sha256(int8send(h + 2)) || sha256(int8send(h + 3)),
    jsonb_build_object('eyes', round(gen.u(n, 200)::numeric, 3), 'nose', round(gen.u(n, 201)::numeric, 3), 'jaw', round(gen.u(n, 202)::numeric, 3)),
    14 + gen.i(n, 203, 60), gen.at(gen.u(n, 204), n, 205)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT n * 4 - 2 AS account, hashint8extended(n, 206) >> 1 AS h OFFSET 0) f;

-- @ tickets 0.05 1
INSERT INTO tickets
SELECT gen.id(n), CASE :region WHEN 1 THEN 'T-' ELSE 'U-' END || (1000 + n), gen.id(CASE n WHEN 1 THEN 42 ELSE gen.who(n, 210) END),
    CASE n WHEN 1 THEN 'I cannot sign in: the code goes to an old phone number'
        ELSE gen.pick(n, 211, '{payment failed,account locked,video removed,somebody copied me,wrong age,delete my data}') END,
    CASE n WHEN 1 THEN 'open' ELSE gen.pick(n, 212, '{open,waiting,closed,closed,closed}') END,
    CASE WHEN n = 1 AND :region = 1 THEN 'aoife.byrne' WHEN gen.u(n, 213) < 0.7
        THEN CASE :region WHEN 1 THEN gen.pick(n, 214, '{aoife.byrne,sean.keane}') ELSE 'ben.ortiz' END END,
    CASE n WHEN 1 THEN to_timestamp(:today - 7200) ELSE gen.at((n - 1) / (0.05 * :people), n, 215) END
FROM generate_series($1::bigint, $2::bigint) n;

-- @ ticket_messages 0.15 1
INSERT INTO ticket_messages
SELECT gen.id(n), t.id, CASE WHEN (n - 1) % 3 = 1 THEN coalesce(t.assignee, CASE :region WHEN 1 THEN 'sean.keane' ELSE 'ben.ortiz' END) END,
    CASE (n - 1) % 3 WHEN 0 THEN t.subject ELSE gen.pick(n, 220, '{Thank you for writing to us.,Could you send a picture?,It still does not work.,That helped!}') END,
    t.opened_at + interval '40 minutes' * ((n - 1) % 3)
FROM generate_series($1::bigint, $2::bigint) n JOIN tickets t ON t.id = gen.id((n + 2) / 3);

-- @ reports 0.1 1
INSERT INTO reports
SELECT gen.id(n), gen.id(reporter), gen.id(gen.friend(reporter, n)), CASE WHEN gen.u(n, 230) < 0.7 THEN gen.id(gen.video(n, 231)) END,
    ('{spam,spam,harassment,self_harm,minor_safety,copyright,impersonation}'::report_reason[])[1 + gen.i(n, 232, 7)],
    CASE WHEN gen.u(n, 233) < 0.4 THEN gen.phrase(n, 234) END,
    CASE WHEN gen.u(n, 235) < 0.8 THEN CASE :region WHEN 1 THEN 'lotte.maes' ELSE 'kim.harlan' END END, gen.at((n - 1) / (0.1 * :people), n, 236)
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT gen.who(n, 237) AS reporter OFFSET 0) r;

-- @ ticket_notes 0.05 1
INSERT INTO ticket_notes
SELECT gen.id(n), t.id, gen.pick(n, 240, '{Called back: no answer.,Passed on to payments.,Known problem since Monday.,Checked: it is really them.}'),
    coalesce(t.assignee, CASE :region WHEN 1 THEN 'sean.keane' ELSE 'ben.ortiz' END), t.opened_at + interval '25 minutes'
FROM generate_series($1::bigint, $2::bigint) n JOIN tickets t ON t.id = gen.id(n);

-- @ moderation_decisions 0.05 1
INSERT INTO moderation_decisions
SELECT gen.id(n), v.account_id, v.id, gen.pick(n, 250, '{none,none,limited}'),
    gen.pick(n, 251, '{Terms 4.2: spam,Terms 5.1: harassment,Terms 7: copyright}'), 'Report looked at: ' || v.caption,
    gen.u(n, 252) < 0.5, CASE :region WHEN 1 THEN 'lotte.maes' ELSE 'kim.harlan' END, v.posted_at + interval '2 hours'
FROM generate_series($1::bigint, $2::bigint) n JOIN videos v ON v.id = gen.id(gen.video(n, 253));

-- cast: the people of the tour; no number below 101 is foreign, protected or staff by chance
UPDATE accounts SET handle = known.handle, display_name = name, full_name = name, email = mail, country = known.country,
    language = known.language, is_protected = known.protected_as IS NOT NULL, protected_as = known.protected_as
FROM (VALUES
    (1, 42, 'clara.novak', 'Clara Novak', 'clara.novak@example.org', 'AT', 'de', NULL),
    (1, 77, 'ilse.brandt.news', 'Ilse Brandt', 'ilse.brandt@example.net', 'DE', 'de', 'journalist'),
    (2, 42, 'ruth.alder', 'Ruth Alder', 'ruth.alder@example.com', 'US', 'en', NULL),
    (2, 77, 'maya.reports', 'Maya Collins', 'maya.collins@example.net', 'US', 'en', 'journalist')
) known (region, n, handle, name, mail, country, language, protected_as)
WHERE region = :region AND id = gen.id(known.n);
SELECT setval(pg_get_serial_sequence('ticket_notes', 'id'), max(id)) FROM ticket_notes;
SELECT setval(pg_get_serial_sequence('moderation_decisions', 'id'), max(id)) FROM moderation_decisions;
