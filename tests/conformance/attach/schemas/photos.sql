-- A photo network in the style of a PHP framework's migrations: users beside profiles, plural tables, not one foreign key.
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(255), username varchar(255), email varchar(255) NOT NULL, email_verified_at timestamp, password varchar(255) NOT NULL, remember_token varchar(100), is_admin boolean NOT NULL DEFAULT false, "2fa_enabled" boolean NOT NULL DEFAULT false, "2fa_secret" varchar(255), profile_id bigint, register_source varchar(255), app_register_ip varchar(255), last_active_at timestamp, language varchar(255), created_at timestamp, deleted_at timestamp);
CREATE UNIQUE INDEX ON users (email); CREATE UNIQUE INDEX ON users (username); CREATE UNIQUE INDEX ON users (profile_id);
CREATE TABLE profiles (id bigserial PRIMARY KEY, user_id bigint, domain varchar(255), username varchar(255), name varchar(255), bio varchar(255), unlisted boolean NOT NULL DEFAULT false, cw boolean NOT NULL DEFAULT false, private_key text, public_key text, remote_url varchar(255), status_count int DEFAULT 0, followers_count int DEFAULT 0, is_private boolean NOT NULL DEFAULT false, moved_to_profile_id bigint, website varchar(255), created_at timestamp);
CREATE TABLE statuses (id bigserial PRIMARY KEY, uri varchar(255), caption text, rendered text, profile_id bigint, type varchar(255), in_reply_to_id bigint, in_reply_to_profile_id bigint, reblog_of_id bigint, scope varchar(20) NOT NULL DEFAULT 'public', likes_count int NOT NULL DEFAULT 0, place_id bigint, entities json, created_at timestamp);
CREATE TABLE media (id bigserial PRIMARY KEY, status_id bigint, profile_id bigint, user_id bigint, media_path varchar(255) NOT NULL, caption text, mime varchar(255), size int, orientation varchar(255), filter_name varchar(255), metadata json, original_sha256 varchar(255), remote_url varchar(255));
CREATE TABLE followers (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, following_id bigint NOT NULL, show_reblogs boolean NOT NULL DEFAULT true);
CREATE TABLE follow_requests (id bigserial PRIMARY KEY, follower_id bigint NOT NULL, following_id bigint NOT NULL, is_rejected boolean NOT NULL DEFAULT false, activity json);
CREATE TABLE likes (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, status_id bigint NOT NULL, status_profile_id bigint, is_comment boolean);
CREATE TABLE bookmarks (id bigserial PRIMARY KEY, status_id bigint NOT NULL, profile_id bigint NOT NULL);
CREATE TABLE mentions (id bigserial PRIMARY KEY, status_id bigint NOT NULL, profile_id bigint NOT NULL, local boolean NOT NULL DEFAULT true);
CREATE TABLE comments (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, user_id bigint, status_id bigint NOT NULL, comment varchar(255), rendered varchar(255), is_remote boolean NOT NULL DEFAULT false);
CREATE TABLE direct_messages (id bigserial PRIMARY KEY, to_id bigint NOT NULL, from_id bigint NOT NULL, type varchar(255), from_profile_ids varchar(255), group_message boolean NOT NULL DEFAULT false, status_id bigint NOT NULL, read_at timestamp);
CREATE TABLE conversations (id bigserial PRIMARY KEY, to_id bigint NOT NULL, from_id bigint NOT NULL, dm_id bigint, status_id bigint, type varchar(255), is_hidden boolean NOT NULL DEFAULT false);
CREATE TABLE notifications (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, actor_id bigint NOT NULL, item_id bigint, item_type varchar(255), action varchar(255) NOT NULL, read_at timestamp);
CREATE TABLE hashtags (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, slug varchar(255) NOT NULL, is_nsfw boolean, is_banned boolean);
CREATE TABLE status_hashtags (id bigserial PRIMARY KEY, status_id bigint NOT NULL, hashtag_id bigint NOT NULL, profile_id bigint, status_visibility varchar(255));
CREATE TABLE hashtag_follows (id bigserial PRIMARY KEY, user_id bigint NOT NULL, profile_id bigint NOT NULL, hashtag_id bigint NOT NULL);
CREATE TABLE stories (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, path varchar(255), mime varchar(255), duration smallint, bearcap_token varchar(255), expires_at timestamp);
CREATE TABLE story_views (id bigserial PRIMARY KEY, story_id bigint NOT NULL, profile_id bigint NOT NULL);
CREATE TABLE collections (id bigserial PRIMARY KEY, profile_id bigint, title varchar(255), description text, visibility varchar(255) NOT NULL DEFAULT 'public');
CREATE TABLE collection_items (id bigserial PRIMARY KEY, collection_id bigint NOT NULL, "order" int, object_type varchar(255) NOT NULL DEFAULT 'x', object_id bigint NOT NULL);
CREATE TABLE places (id bigserial PRIMARY KEY, slug varchar(255) NOT NULL, name varchar(255) NOT NULL, country varchar(255) NOT NULL, lat decimal(9,6), long decimal(9,6));
CREATE TABLE user_settings (id bigserial PRIMARY KEY, user_id bigint NOT NULL, role varchar(255) NOT NULL DEFAULT 'user', crawlable boolean NOT NULL DEFAULT true, show_guests boolean, bans text, compose_settings json);
CREATE UNIQUE INDEX ON user_settings (user_id);
CREATE TABLE user_filters (id bigserial PRIMARY KEY, user_id bigint NOT NULL, filterable_id bigint NOT NULL, filterable_type varchar(255) NOT NULL, filter_type varchar(255) NOT NULL DEFAULT 'block');
CREATE TABLE user_devices (id bigserial PRIMARY KEY, user_id bigint NOT NULL, ip varchar(255) NOT NULL, user_agent varchar(255) NOT NULL, fingerprint varchar(255), trusted boolean, last_active_at timestamp);
CREATE TABLE email_verifications (id bigserial PRIMARY KEY, user_id bigint NOT NULL, email varchar(255), user_token varchar(255) NOT NULL, random_token varchar(255) NOT NULL);
CREATE TABLE password_resets (email varchar(255) NOT NULL, token varchar(255) NOT NULL, created_at timestamp);
CREATE TABLE account_logs (id bigserial PRIMARY KEY, user_id bigint NOT NULL, item_id bigint, item_type varchar(255), action varchar(255), message varchar(255), link varchar(255), ip_address varchar(255), user_agent varchar(255));
CREATE TABLE account_interstitials (id bigserial PRIMARY KEY, user_id bigint, type varchar(255), item_id bigint, item_type varchar(255), message text, appeal_message text, appeal_handled_at timestamp);
CREATE TABLE reports (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, user_id bigint, object_id bigint NOT NULL, object_type varchar(255), reported_profile_id bigint, type varchar(255), message varchar(255), admin_seen timestamp);
CREATE TABLE mod_logs (id bigserial PRIMARY KEY, user_id bigint NOT NULL, user_username varchar(255), object_uid bigint, object_id bigint, object_type varchar(255), action varchar(255), message text, access_level varchar(255));
CREATE TABLE contacts (id bigserial PRIMARY KEY, user_id bigint NOT NULL, response_requested boolean NOT NULL DEFAULT false, message text NOT NULL, response text NOT NULL, read_at timestamp);
CREATE TABLE import_datas (id bigserial PRIMARY KEY, profile_id bigint NOT NULL, job_id bigint, service varchar(255) NOT NULL DEFAULT 'instagram', path varchar(255), original_name varchar(255), import_accepted boolean);
CREATE TABLE oauth_access_tokens (id varchar(100) NOT NULL PRIMARY KEY, user_id bigint, client_id bigint NOT NULL, name varchar(255), scopes text, revoked boolean NOT NULL, expires_at timestamp);
CREATE TABLE oauth_refresh_tokens (id varchar(100) NOT NULL PRIMARY KEY, access_token_id varchar(100) NOT NULL, revoked boolean NOT NULL);
CREATE TABLE oauth_clients (id bigserial PRIMARY KEY, user_id bigint, name varchar(255) NOT NULL, secret varchar(100), redirect text NOT NULL, personal_access_client boolean NOT NULL);
CREATE TABLE sessions (id varchar(255) NOT NULL, user_id bigint, ip_address varchar(45), user_agent text, payload text NOT NULL, last_activity int NOT NULL);
CREATE UNIQUE INDEX ON sessions (id);
CREATE TABLE instances (id bigserial PRIMARY KEY, domain varchar(255) NOT NULL, name varchar(255), software varchar(255), user_count int, banned boolean NOT NULL DEFAULT false, limit_reason varchar(255));
CREATE TABLE polls (id bigserial PRIMARY KEY, story_id bigint, status_id bigint, profile_id bigint NOT NULL, poll_options json, cached_tallies json, multiple boolean NOT NULL DEFAULT false, expires_at timestamp);
CREATE TABLE poll_votes (id bigserial PRIMARY KEY, story_id bigint, status_id bigint, profile_id bigint NOT NULL, poll_id bigint NOT NULL, choice int NOT NULL DEFAULT 0);
CREATE TABLE failed_jobs (id bigserial PRIMARY KEY, connection text NOT NULL, queue text NOT NULL, payload text NOT NULL, exception text NOT NULL, failed_at timestamp NOT NULL DEFAULT now());
CREATE TABLE migrations (id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL);
CREATE TABLE pages (id bigserial PRIMARY KEY, root varchar(255), slug varchar(255), title varchar(255), category_id int, content text, template varchar(255) NOT NULL DEFAULT 'layouts.app', active boolean NOT NULL DEFAULT false);
CREATE TABLE config_cache (id bigserial PRIMARY KEY, k varchar(255) NOT NULL, v text, created_at timestamp);
CREATE TABLE uikit (id bigserial PRIMARY KEY, k varchar(255) NOT NULL, v text, active boolean);
--= users = profile_id | id
--= profiles = id + moved_to_profile_id | user_id | id>id
--= statuses = profile_id | profile_id>user_id | profile_id>id>id
--= media = profile_id | user_id
--= followers = profile_id + following_id
--= follow_requests = follower_id + following_id
--= likes = profile_id + status_profile_id
--= bookmarks = profile_id
--= mentions = profile_id
--= comments = profile_id
--= direct_messages = to_id + from_id
--= conversations = to_id + from_id
--= notifications = profile_id + actor_id
--= hashtags = nobody
--= status_hashtags = profile_id
--= hashtag_follows = profile_id
--= stories = profile_id
--= story_views = profile_id
--= collections = profile_id
--= collection_items = collection_id>profile_id
--= places = nobody | ask
--= user_settings = user_id>profile_id | user_id
--= user_filters = user_id>profile_id | user_id
--= user_devices = user_id>profile_id | user_id
--= email_verifications = user_id>profile_id | user_id
--= password_resets = ask
--= account_logs = user_id>profile_id | user_id
--= account_interstitials = user_id>profile_id | user_id
--= reports = profile_id + reported_profile_id
--= mod_logs = user_id>profile_id | user_id
--= contacts = user_id>profile_id | user_id
--= import_datas = profile_id
--= oauth_access_tokens = user_id>profile_id | user_id
--= oauth_refresh_tokens = access_token_id>user_id>profile_id | access_token_id>user_id
--= oauth_clients = user_id>profile_id | user_id
--= sessions = user_id>profile_id | user_id
--= instances = nobody
--= polls = profile_id
--= poll_votes = profile_id
--= failed_jobs = nobody | ask
--= migrations = nobody
--= pages = nobody | ask
--= config_cache = nobody
--= uikit = nobody | ask
--! users.name users.username users.email users.password users.remember_token users.2fa_secret users.app_register_ip users.language profiles.username profiles.name profiles.bio profiles.private_key profiles.website statuses.caption media.metadata media.media_path
--! comments.comment direct_messages.from_profile_ids user_devices.ip user_devices.user_agent user_devices.fingerprint email_verifications.email email_verifications.user_token password_resets.email account_logs.ip_address account_logs.message reports.message
--! mod_logs.user_username contacts.message sessions.ip_address sessions.payload sessions.user_agent failed_jobs.payload import_datas.original_name stories.path
