-- A chat server in the style of a federated home server: text keys, hardly any foreign or primary key.
CREATE TABLE users (name text, password_hash text, creation_ts bigint, admin smallint DEFAULT 0 NOT NULL, upgrade_ts bigint, is_guest smallint DEFAULT 0 NOT NULL, appservice_id text, consent_version text, user_type text, deactivated smallint DEFAULT 0 NOT NULL, shadow_banned boolean, suspended boolean DEFAULT false NOT NULL);
CREATE UNIQUE INDEX users_name_key ON users (name);
CREATE TABLE profiles (user_id text NOT NULL, displayname text, avatar_url text, full_user_id text, fields jsonb);
CREATE UNIQUE INDEX ON profiles (user_id);
CREATE TABLE access_tokens (id bigint PRIMARY KEY, user_id text NOT NULL, device_id text, token text NOT NULL, valid_until_ms bigint, puppets_user_id text, last_validated bigint);
CREATE TABLE refresh_tokens (id bigint PRIMARY KEY, user_id text NOT NULL, device_id text NOT NULL, token text NOT NULL, next_token_id bigint);
CREATE TABLE devices (user_id text NOT NULL, device_id text NOT NULL, display_name text, last_seen bigint, ip text, user_agent text, hidden boolean DEFAULT false);
CREATE UNIQUE INDEX ON devices (user_id, device_id);
CREATE TABLE user_ips (user_id text NOT NULL, access_token text NOT NULL, device_id text, ip text NOT NULL, user_agent text NOT NULL, last_seen bigint NOT NULL);
CREATE TABLE user_threepids (user_id text NOT NULL, medium text NOT NULL, address text NOT NULL, validated_at bigint NOT NULL, added_at bigint NOT NULL);
CREATE TABLE user_threepid_id_server (user_id text NOT NULL, medium text NOT NULL, address text NOT NULL, id_server text NOT NULL);
CREATE TABLE account_data (user_id text NOT NULL, account_data_type text NOT NULL, stream_id bigint NOT NULL, content text NOT NULL);
CREATE UNIQUE INDEX ON account_data (user_id, account_data_type);
CREATE TABLE room_account_data (user_id text NOT NULL, room_id text NOT NULL, account_data_type text NOT NULL, stream_id bigint NOT NULL, content text NOT NULL);
CREATE TABLE rooms (room_id text NOT NULL PRIMARY KEY, is_public boolean, creator text, room_version text, has_auth_chain_index boolean);
CREATE TABLE events (topological_ordering bigint NOT NULL, event_id text NOT NULL, type text NOT NULL, room_id text NOT NULL, content text, unrecognized_keys text, processed boolean NOT NULL, depth bigint DEFAULT 0 NOT NULL, origin_server_ts bigint, received_ts bigint, sender text, contains_url boolean, instance_name text, stream_ordering bigint, state_key text, rejection_reason text);
CREATE UNIQUE INDEX ON events (event_id);
CREATE TABLE event_json (event_id text NOT NULL, room_id text NOT NULL, internal_metadata text NOT NULL, json text NOT NULL, format_version int);
CREATE UNIQUE INDEX ON event_json (event_id);
CREATE TABLE event_relations (event_id text NOT NULL, relates_to_id text NOT NULL, relation_type text NOT NULL, aggregation_key text);
CREATE UNIQUE INDEX ON event_relations (event_id);
CREATE TABLE event_edges (event_id text NOT NULL, prev_event_id text NOT NULL, room_id text, is_state boolean DEFAULT false NOT NULL);
CREATE TABLE event_reports (id bigint PRIMARY KEY, received_ts bigint NOT NULL, room_id text NOT NULL, event_id text NOT NULL, user_id text NOT NULL, reason text, content text);
CREATE TABLE redactions (event_id text NOT NULL, redacts text NOT NULL, have_censored boolean DEFAULT false NOT NULL);
CREATE UNIQUE INDEX ON redactions (event_id);
CREATE TABLE room_memberships (event_id text NOT NULL, user_id text NOT NULL, sender text NOT NULL, room_id text NOT NULL, membership text NOT NULL, display_name text, avatar_url text);
CREATE UNIQUE INDEX ON room_memberships (event_id);
CREATE TABLE local_current_membership (room_id text NOT NULL, user_id text NOT NULL, event_id text NOT NULL, membership text NOT NULL);
CREATE TABLE room_aliases (room_alias text NOT NULL, room_id text NOT NULL, creator text);
CREATE UNIQUE INDEX ON room_aliases (room_alias);
CREATE TABLE room_tags (user_id text NOT NULL, room_id text NOT NULL, tag text NOT NULL, content text NOT NULL);
CREATE TABLE receipts_linearized (stream_id bigint NOT NULL, room_id text NOT NULL, receipt_type text NOT NULL, user_id text NOT NULL, event_id text NOT NULL, data text NOT NULL, thread_id text);
CREATE TABLE presence_stream (stream_id bigint, user_id text, state text, last_active_ts bigint, status_msg text, currently_active boolean);
CREATE TABLE pushers (id bigint PRIMARY KEY, user_name text NOT NULL, access_token bigint, profile_tag text NOT NULL, kind text NOT NULL, app_id text NOT NULL, app_display_name text NOT NULL, device_display_name text NOT NULL, pushkey text NOT NULL, ts bigint NOT NULL, lang text, data text, device_id text);
CREATE TABLE push_rules (id bigint PRIMARY KEY, user_name text NOT NULL, rule_id text NOT NULL, priority_class smallint NOT NULL, conditions text NOT NULL, actions text NOT NULL);
CREATE TABLE ignored_users (ignorer_user_id text NOT NULL, ignored_user_id text NOT NULL);
CREATE UNIQUE INDEX ON ignored_users (ignorer_user_id, ignored_user_id);
CREATE TABLE local_media_repository (media_id text, media_type text, media_length int, created_ts bigint, upload_name text, user_id text, quarantined_by text, url_cache text, last_access_ts bigint);
CREATE UNIQUE INDEX ON local_media_repository (media_id);
CREATE TABLE local_media_repository_thumbnails (media_id text, thumbnail_width int, thumbnail_height int, thumbnail_type text, thumbnail_method text);
CREATE TABLE remote_media_cache (media_origin text, media_id text, media_type text, created_ts bigint, upload_name text);
CREATE TABLE e2e_device_keys_json (user_id text NOT NULL, device_id text NOT NULL, ts_added_ms bigint NOT NULL, key_json text NOT NULL);
CREATE TABLE device_inbox (user_id text NOT NULL, device_id text NOT NULL, stream_id bigint NOT NULL, message_json text NOT NULL);
CREATE TABLE user_directory (user_id text NOT NULL, room_id text, display_name text, avatar_url text);
CREATE UNIQUE INDEX ON user_directory (user_id);
CREATE TABLE user_daily_visits (user_id text NOT NULL, device_id text, "timestamp" bigint NOT NULL, user_agent text);
CREATE TABLE registration_tokens (token text NOT NULL, uses_allowed int, pending int NOT NULL, completed int NOT NULL, expiry_time bigint);
CREATE UNIQUE INDEX ON registration_tokens (token);
CREATE TABLE server_signature_keys (server_name text, key_id text, from_server text, ts_added_ms bigint, verify_key bytea);
CREATE TABLE destinations (destination text NOT NULL PRIMARY KEY, retry_last_ts bigint NOT NULL, retry_interval bigint NOT NULL);
CREATE TABLE state_groups (id bigint PRIMARY KEY, room_id text NOT NULL, event_id text NOT NULL);
CREATE TABLE schema_version (lock char(1) DEFAULT 'X' NOT NULL PRIMARY KEY, version int NOT NULL, upgraded boolean NOT NULL);
CREATE TABLE applied_schema_deltas (version int NOT NULL, file text NOT NULL);
CREATE UNIQUE INDEX ON applied_schema_deltas (version, file);
--= users = name
--= profiles = user_id
--= access_tokens = user_id
--= refresh_tokens = user_id
--= devices = user_id
--= user_ips = user_id
--= user_threepids = user_id
--= user_threepid_id_server = user_id
--= account_data = user_id
--= room_account_data = user_id
--= rooms = creator | ask
--= events = sender
--= event_json = event_id>sender
--= event_relations = event_id>sender
--= event_edges = event_id>sender
--= event_reports = user_id
--= redactions = event_id>sender
--= room_memberships = user_id + sender
--= local_current_membership = user_id
--= room_aliases = creator
--= room_tags = user_id
--= receipts_linearized = user_id
--= presence_stream = user_id
--= pushers = user_name
--= push_rules = user_name
--= ignored_users = ignorer_user_id + ignored_user_id
--= local_media_repository = user_id
--= local_media_repository_thumbnails = media_id>user_id
--= remote_media_cache = ask | nobody
--= e2e_device_keys_json = user_id
--= device_inbox = user_id
--= user_directory = user_id
--= user_daily_visits = user_id
--= registration_tokens = ask | nobody
--= server_signature_keys = nobody | ask
--= destinations = nobody | ask
--= state_groups = event_id>sender | ask
--= schema_version = nobody
--= applied_schema_deltas = nobody | ask
--! users.name users.password_hash profiles.displayname profiles.avatar_url access_tokens.token devices.ip devices.user_agent devices.display_name user_ips.ip user_ips.user_agent user_threepids.address
--! events.content events.sender event_json.json pushers.pushkey presence_stream.status_msg user_directory.display_name room_memberships.display_name device_inbox.message_json local_media_repository.upload_name account_data.content
