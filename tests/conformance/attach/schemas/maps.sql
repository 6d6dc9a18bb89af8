-- A map that everybody edits, in the style of an open geographic database.
CREATE TYPE user_status_enum AS ENUM ('pending', 'active', 'confirmed', 'suspended', 'deleted');
CREATE TYPE nwr_enum AS ENUM ('Node', 'Way', 'Relation');
CREATE TABLE users (email varchar NOT NULL, id bigserial PRIMARY KEY, pass_crypt varchar NOT NULL, creation_time timestamp NOT NULL, display_name varchar NOT NULL DEFAULT '', data_public boolean NOT NULL DEFAULT false, description text NOT NULL DEFAULT '', home_lat float8, home_lon float8, home_zoom smallint DEFAULT 3, pass_salt varchar, email_valid boolean NOT NULL DEFAULT false, new_email varchar, creation_address inet, languages varchar, status user_status_enum NOT NULL DEFAULT 'pending', terms_agreed timestamp, auth_uid varchar, auth_provider varchar, changesets_count int NOT NULL DEFAULT 0, home_tile bigint, company varchar);
CREATE UNIQUE INDEX ON users (email); CREATE UNIQUE INDEX ON users (display_name);
CREATE TABLE changesets (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, created_at timestamp NOT NULL, min_lat int, max_lat int, min_lon int, max_lon int, closed_at timestamp NOT NULL, num_changes int NOT NULL DEFAULT 0);
CREATE TABLE changeset_tags (changeset_id bigint NOT NULL REFERENCES changesets, k varchar NOT NULL DEFAULT '', v varchar NOT NULL DEFAULT '', PRIMARY KEY (changeset_id, k));
CREATE TABLE changeset_comments (id serial PRIMARY KEY, changeset_id bigint NOT NULL REFERENCES changesets, author_id bigint NOT NULL REFERENCES users, body text NOT NULL, created_at timestamp NOT NULL, visible boolean NOT NULL);
CREATE TABLE changesets_subscribers (subscriber_id bigint NOT NULL REFERENCES users, changeset_id bigint NOT NULL REFERENCES changesets);
CREATE UNIQUE INDEX ON changesets_subscribers (subscriber_id, changeset_id);
CREATE TABLE current_nodes (id bigserial PRIMARY KEY, latitude int NOT NULL, longitude int NOT NULL, changeset_id bigint NOT NULL REFERENCES changesets, visible boolean NOT NULL, "timestamp" timestamp NOT NULL, tile bigint NOT NULL, version bigint NOT NULL);
CREATE TABLE current_node_tags (node_id bigint NOT NULL REFERENCES current_nodes, k varchar NOT NULL DEFAULT '', v varchar NOT NULL DEFAULT '', PRIMARY KEY (node_id, k));
CREATE TABLE current_ways (id bigserial PRIMARY KEY, changeset_id bigint NOT NULL REFERENCES changesets, "timestamp" timestamp NOT NULL, visible boolean NOT NULL, version bigint NOT NULL);
CREATE TABLE current_way_nodes (way_id bigint NOT NULL REFERENCES current_ways, node_id bigint NOT NULL REFERENCES current_nodes, sequence_id bigint NOT NULL, PRIMARY KEY (way_id, sequence_id));
CREATE TABLE redactions (id serial PRIMARY KEY, title varchar NOT NULL, description text NOT NULL, user_id bigint NOT NULL REFERENCES users);
CREATE TABLE nodes (node_id bigint NOT NULL, latitude int NOT NULL, longitude int NOT NULL, changeset_id bigint NOT NULL REFERENCES changesets, visible boolean NOT NULL, "timestamp" timestamp NOT NULL, tile bigint NOT NULL, version bigint NOT NULL, redaction_id int REFERENCES redactions, PRIMARY KEY (node_id, version));
CREATE TABLE node_tags (node_id bigint NOT NULL, version bigint NOT NULL, k varchar NOT NULL DEFAULT '', v varchar NOT NULL DEFAULT '', PRIMARY KEY (node_id, version, k), FOREIGN KEY (node_id, version) REFERENCES nodes);
CREATE TABLE diary_entries (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, title varchar NOT NULL, body text NOT NULL, latitude float8, longitude float8, language_code varchar NOT NULL DEFAULT 'en', visible boolean NOT NULL DEFAULT true);
CREATE TABLE languages (code varchar NOT NULL PRIMARY KEY, english_name varchar NOT NULL, native_name varchar);
ALTER TABLE diary_entries ADD FOREIGN KEY (language_code) REFERENCES languages;
CREATE TABLE diary_comments (id bigserial PRIMARY KEY, diary_entry_id bigint NOT NULL REFERENCES diary_entries, user_id bigint NOT NULL REFERENCES users, body text NOT NULL, visible boolean NOT NULL DEFAULT true);
CREATE TABLE follows (id bigserial PRIMARY KEY, follower_id bigint NOT NULL REFERENCES users, following_id bigint NOT NULL REFERENCES users);
CREATE TABLE messages (id bigserial PRIMARY KEY, from_user_id bigint NOT NULL REFERENCES users, title varchar NOT NULL, body text NOT NULL, sent_on timestamp NOT NULL, message_read boolean NOT NULL DEFAULT false, to_user_id bigint NOT NULL REFERENCES users);
CREATE TABLE gpx_files (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, visible boolean NOT NULL DEFAULT true, name varchar NOT NULL DEFAULT '', size bigint, latitude float8, longitude float8, description varchar NOT NULL DEFAULT '', inserted boolean NOT NULL);
CREATE TABLE gpx_file_tags (gpx_id bigint NOT NULL REFERENCES gpx_files, tag varchar NOT NULL, id bigserial PRIMARY KEY);
CREATE TABLE gps_points (altitude float8, trackid int NOT NULL, latitude int NOT NULL, longitude int NOT NULL, gpx_id bigint NOT NULL REFERENCES gpx_files, "timestamp" timestamp, tile bigint);
CREATE TABLE notes (id bigserial PRIMARY KEY, latitude int NOT NULL, longitude int NOT NULL, tile bigint NOT NULL, updated_at timestamp NOT NULL, status varchar NOT NULL, description text, user_id bigint REFERENCES users, user_ip inet);
CREATE TABLE note_comments (id bigserial PRIMARY KEY, note_id bigint NOT NULL REFERENCES notes, visible boolean NOT NULL, author_ip inet, author_id bigint REFERENCES users, body text, event varchar);
CREATE TABLE user_blocks (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, creator_id bigint NOT NULL REFERENCES users, reason text NOT NULL, ends_at timestamp NOT NULL, revoker_id bigint REFERENCES users);
CREATE TABLE user_preferences (user_id bigint NOT NULL REFERENCES users, k varchar NOT NULL, v varchar NOT NULL, PRIMARY KEY (user_id, k));
CREATE TABLE user_roles (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, role varchar NOT NULL, granter_id bigint NOT NULL REFERENCES users);
CREATE TABLE issues (id serial PRIMARY KEY, reportable_type varchar NOT NULL, reportable_id int NOT NULL, reported_user_id bigint REFERENCES users, status varchar NOT NULL, assigned_role varchar, resolved_by int REFERENCES users, updated_by int REFERENCES users);
CREATE TABLE reports (id serial PRIMARY KEY, issue_id int NOT NULL REFERENCES issues, user_id bigint NOT NULL REFERENCES users, details text NOT NULL, category varchar NOT NULL);
CREATE TABLE oauth_applications (id bigserial PRIMARY KEY, owner_type varchar NOT NULL, owner_id bigint NOT NULL REFERENCES users, name varchar NOT NULL, uid varchar NOT NULL, secret varchar NOT NULL, redirect_uri text NOT NULL);
CREATE TABLE oauth_access_tokens (id bigserial PRIMARY KEY, resource_owner_id bigint REFERENCES users, application_id bigint NOT NULL REFERENCES oauth_applications, token varchar NOT NULL, scopes varchar);
CREATE TABLE active_storage_blobs (id bigserial PRIMARY KEY, key varchar NOT NULL, filename varchar NOT NULL, content_type varchar, metadata text, byte_size bigint NOT NULL, checksum varchar);
CREATE TABLE active_storage_attachments (id bigserial PRIMARY KEY, name varchar NOT NULL, record_type varchar NOT NULL, record_id bigint NOT NULL, blob_id bigint NOT NULL REFERENCES active_storage_blobs);
CREATE TABLE acls (id bigserial PRIMARY KEY, address inet, k varchar NOT NULL, v varchar, domain varchar, mx varchar);
CREATE TABLE delayed_jobs (id bigserial PRIMARY KEY, priority int NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0, handler text NOT NULL, last_error text, run_at timestamp, queue varchar);
CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
--= users = id
--= changesets = user_id
--= changeset_tags = changeset_id>user_id
--= changeset_comments = author_id
--= changesets_subscribers = subscriber_id
--= current_nodes = changeset_id>user_id
--= current_node_tags = node_id>changeset_id>user_id
--= current_ways = changeset_id>user_id
--= current_way_nodes = way_id>changeset_id>user_id
--= redactions = user_id
--= nodes = changeset_id>user_id
--= node_tags = node_id>changeset_id>user_id
--= diary_entries = user_id
--= languages = nobody
--= diary_comments = user_id
--= follows = follower_id + following_id
--= messages = from_user_id + to_user_id
--= gpx_files = user_id
--= gpx_file_tags = gpx_id>user_id
--= gps_points = gpx_id>user_id
--= notes = user_id
--= note_comments = author_id
--= user_blocks = user_id + creator_id + revoker_id
--= user_preferences = user_id
--= user_roles = user_id + granter_id
--= issues = reported_user_id + resolved_by + updated_by
--= reports = user_id
--= oauth_applications = owner_id
--= oauth_access_tokens = resource_owner_id
--= active_storage_blobs = ask | nobody
--= active_storage_attachments = ask
--= acls = ask
--= delayed_jobs = nobody | ask
--= schema_migrations = nobody
--! users.email users.pass_crypt users.display_name users.home_lat users.home_lon users.creation_address users.new_email users.languages users.auth_uid users.company messages.body messages.title gps_points.latitude gps_points.longitude
--! notes.user_ip note_comments.author_ip user_blocks.reason diary_entries.latitude acls.address user_preferences.v delayed_jobs.handler
