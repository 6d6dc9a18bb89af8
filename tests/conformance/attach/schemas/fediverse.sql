-- A federated microblog in the style of a Rails application: accounts apart from their sign-in, foreign keys nearly everywhere.
CREATE TABLE accounts (
  id bigserial PRIMARY KEY, username varchar NOT NULL DEFAULT '', domain varchar, private_key text, public_key text NOT NULL DEFAULT '',
  display_name varchar NOT NULL DEFAULT '', note text NOT NULL DEFAULT '', uri varchar NOT NULL DEFAULT '', url varchar,
  avatar_file_name varchar, avatar_remote_url varchar, header_file_name varchar, last_webfingered_at timestamp, inbox_url varchar NOT NULL DEFAULT '',
  moved_to_account_id bigint REFERENCES accounts ON DELETE SET NULL, fields jsonb, actor_type varchar, discoverable boolean, locked boolean NOT NULL DEFAULT false,
  also_known_as varchar[], suspended_at timestamp, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE TABLE oauth_applications (id bigserial PRIMARY KEY, name varchar NOT NULL, uid varchar NOT NULL, secret varchar NOT NULL, redirect_uri text NOT NULL,
  scopes varchar NOT NULL DEFAULT '', website varchar, owner_type varchar, owner_id bigint, created_at timestamp);
CREATE TABLE user_roles (id bigserial PRIMARY KEY, name varchar NOT NULL DEFAULT '', color varchar NOT NULL DEFAULT '', position int NOT NULL DEFAULT 0, permissions bigint NOT NULL DEFAULT 0);
CREATE TABLE invites (id bigserial PRIMARY KEY, user_id bigint NOT NULL, code varchar NOT NULL DEFAULT '', expires_at timestamp, max_uses int, uses int NOT NULL DEFAULT 0, comment text);
CREATE TABLE users (
  id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '', encrypted_password varchar NOT NULL DEFAULT '', reset_password_token varchar,
  sign_in_count int NOT NULL DEFAULT 0, current_sign_in_at timestamp, last_sign_in_at timestamp, confirmation_token varchar, unconfirmed_email varchar,
  locale varchar, otp_secret varchar, otp_backup_codes varchar[], last_emailed_at timestamp, account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
  disabled boolean NOT NULL DEFAULT false, invite_id bigint REFERENCES invites ON DELETE SET NULL, chosen_languages varchar[], created_by_application_id bigint REFERENCES oauth_applications,
  approved boolean NOT NULL DEFAULT true, sign_up_ip inet, role_id bigint REFERENCES user_roles ON DELETE SET NULL, settings text, time_zone varchar, webauthn_id varchar, age_verified_at timestamp);
CREATE UNIQUE INDEX ON users (email);
ALTER TABLE invites ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;
CREATE TABLE conversations (id bigserial PRIMARY KEY, uri varchar, created_at timestamp NOT NULL);
CREATE TABLE statuses (id bigserial PRIMARY KEY, uri varchar, text text NOT NULL DEFAULT '', in_reply_to_id bigint REFERENCES statuses ON DELETE SET NULL,
  reblog_of_id bigint REFERENCES statuses ON DELETE CASCADE, url varchar, sensitive boolean NOT NULL DEFAULT false, visibility int NOT NULL DEFAULT 0, spoiler_text text NOT NULL DEFAULT '',
  language varchar, conversation_id bigint, account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE, application_id bigint, in_reply_to_account_id bigint REFERENCES accounts ON DELETE SET NULL,
  poll_id bigint, deleted_at timestamp, created_at timestamp NOT NULL);
CREATE TABLE polls (id bigserial PRIMARY KEY, account_id bigint REFERENCES accounts, status_id bigint REFERENCES statuses, options varchar[] NOT NULL DEFAULT '{}', expires_at timestamp, votes_count bigint NOT NULL DEFAULT 0);
CREATE TABLE poll_votes (id bigserial PRIMARY KEY, account_id bigint REFERENCES accounts, poll_id bigint REFERENCES polls, choice int NOT NULL DEFAULT 0, uri varchar);
CREATE TABLE media_attachments (id bigserial PRIMARY KEY, status_id bigint REFERENCES statuses ON DELETE SET NULL, file_file_name varchar, file_content_type varchar, remote_url varchar NOT NULL DEFAULT '',
  account_id bigint REFERENCES accounts ON DELETE SET NULL, description text, blurhash varchar, file_meta json);
CREATE TABLE follows (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE, target_account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE, show_reblogs boolean NOT NULL DEFAULT true, uri varchar, languages varchar[]);
CREATE TABLE blocks (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, target_account_id bigint NOT NULL REFERENCES accounts, uri varchar);
CREATE TABLE favourites (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, status_id bigint NOT NULL REFERENCES statuses, created_at timestamp NOT NULL);
CREATE TABLE bookmarks (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, status_id bigint NOT NULL REFERENCES statuses);
CREATE TABLE mentions (id bigserial PRIMARY KEY, status_id bigint NOT NULL REFERENCES statuses, account_id bigint NOT NULL REFERENCES accounts, silent boolean NOT NULL DEFAULT false);
CREATE TABLE notifications (id bigserial PRIMARY KEY, activity_id bigint NOT NULL, activity_type varchar NOT NULL, account_id bigint NOT NULL REFERENCES accounts, from_account_id bigint NOT NULL REFERENCES accounts, type varchar);
CREATE TABLE lists (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, title varchar NOT NULL DEFAULT '', replies_policy int NOT NULL DEFAULT 0);
CREATE TABLE list_accounts (id bigserial PRIMARY KEY, list_id bigint NOT NULL REFERENCES lists, account_id bigint NOT NULL REFERENCES accounts, follow_id bigint REFERENCES follows);
CREATE TABLE session_activations (id bigserial PRIMARY KEY, session_id varchar NOT NULL, user_agent varchar NOT NULL DEFAULT '', ip inet, access_token_id bigint, user_id bigint NOT NULL REFERENCES users, web_push_subscription_id bigint);
CREATE TABLE login_activities (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, authentication_method varchar, provider varchar, success boolean, failure_reason varchar, ip inet, user_agent varchar, created_at timestamp);
CREATE TABLE oauth_access_tokens (id bigserial PRIMARY KEY, token varchar NOT NULL, refresh_token varchar, expires_in int, scopes varchar, application_id bigint REFERENCES oauth_applications, resource_owner_id bigint REFERENCES users, last_used_ip inet);
CREATE TABLE web_push_subscriptions (id bigserial PRIMARY KEY, endpoint varchar NOT NULL, key_p256dh varchar NOT NULL, key_auth varchar NOT NULL, data json, access_token_id bigint REFERENCES oauth_access_tokens, user_id bigint REFERENCES users);
CREATE TABLE reports (id bigserial PRIMARY KEY, status_ids bigint[] NOT NULL DEFAULT '{}', comment text NOT NULL DEFAULT '', account_id bigint NOT NULL REFERENCES accounts, action_taken_by_account_id bigint REFERENCES accounts, target_account_id bigint NOT NULL REFERENCES accounts, assigned_account_id bigint REFERENCES accounts, category int NOT NULL DEFAULT 0, action_taken_at timestamp);
CREATE TABLE report_notes (id bigserial PRIMARY KEY, content text NOT NULL, report_id bigint NOT NULL REFERENCES reports, account_id bigint NOT NULL REFERENCES accounts);
CREATE TABLE account_stats (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, statuses_count bigint NOT NULL DEFAULT 0, followers_count bigint NOT NULL DEFAULT 0, last_status_at timestamp);
CREATE UNIQUE INDEX ON account_stats (account_id);
CREATE TABLE status_stats (id bigserial PRIMARY KEY, status_id bigint NOT NULL REFERENCES statuses, replies_count bigint NOT NULL DEFAULT 0);
CREATE TABLE status_edits (id bigserial PRIMARY KEY, status_id bigint NOT NULL REFERENCES statuses, account_id bigint REFERENCES accounts, text text NOT NULL DEFAULT '', spoiler_text text NOT NULL DEFAULT '');
CREATE TABLE tags (id bigserial PRIMARY KEY, name varchar NOT NULL DEFAULT '', usable boolean, display_name varchar, max_score float, created_at timestamp);
CREATE TABLE statuses_tags (status_id bigint NOT NULL REFERENCES statuses, tag_id bigint NOT NULL REFERENCES tags, PRIMARY KEY (tag_id, status_id));
CREATE TABLE preview_cards (id bigserial PRIMARY KEY, url varchar NOT NULL DEFAULT '', title varchar NOT NULL DEFAULT '', description varchar NOT NULL DEFAULT '', author_name varchar NOT NULL DEFAULT '', html text NOT NULL DEFAULT '', author_account_id bigint REFERENCES accounts);
CREATE TABLE preview_cards_statuses (preview_card_id bigint NOT NULL, status_id bigint NOT NULL, url varchar, PRIMARY KEY (status_id, preview_card_id));
CREATE TABLE custom_emojis (id bigserial PRIMARY KEY, shortcode varchar NOT NULL DEFAULT '', domain varchar, image_file_name varchar, disabled boolean NOT NULL DEFAULT false, uri varchar, category_id bigint);
CREATE TABLE custom_emoji_categories (id bigserial PRIMARY KEY, name varchar);
CREATE TABLE domain_blocks (id bigserial PRIMARY KEY, domain varchar NOT NULL DEFAULT '', severity int, private_comment text, public_comment text);
CREATE TABLE ip_blocks (id bigserial PRIMARY KEY, ip inet NOT NULL DEFAULT '0.0.0.0', severity int NOT NULL DEFAULT 0, expires_at timestamp, comment text NOT NULL DEFAULT '');
CREATE TABLE email_domain_blocks (id bigserial PRIMARY KEY, domain varchar NOT NULL DEFAULT '', parent_id bigint REFERENCES email_domain_blocks);
CREATE TABLE canonical_email_blocks (id bigserial PRIMARY KEY, canonical_email_hash varchar NOT NULL DEFAULT '', reference_account_id bigint REFERENCES accounts);
CREATE TABLE announcements (id bigserial PRIMARY KEY, text text NOT NULL DEFAULT '', published boolean NOT NULL DEFAULT false, starts_at timestamp);
CREATE TABLE announcement_mutes (id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, announcement_id bigint NOT NULL REFERENCES announcements);
CREATE TABLE rules (id bigserial PRIMARY KEY, priority int NOT NULL DEFAULT 0, text text NOT NULL DEFAULT '', hint text);
CREATE TABLE settings (id bigserial PRIMARY KEY, var varchar NOT NULL, value text, thing_type varchar, thing_id bigint);
CREATE TABLE backups (id bigserial PRIMARY KEY, user_id bigint REFERENCES users, dump_file_name varchar, processed boolean NOT NULL DEFAULT false);
CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar, created_at timestamp NOT NULL);
CREATE VIEW account_summaries AS SELECT id AS account_id, username FROM accounts;
-- expected: TABLE = PATHS by " + ", steps by ">"; "nobody"; "|" between alternatives; ask
--= accounts = id + moved_to_account_id
--= oauth_applications = ask | nobody
--= user_roles = nobody
--= invites = user_id>account_id
--= users = account_id
--= conversations = ask | nobody
--= statuses = account_id + in_reply_to_account_id
--= polls = account_id
--= poll_votes = account_id
--= media_attachments = account_id
--= follows = account_id + target_account_id
--= blocks = account_id + target_account_id
--= favourites = account_id
--= bookmarks = account_id
--= mentions = account_id
--= notifications = account_id + from_account_id
--= lists = account_id
--= list_accounts = account_id
--= session_activations = user_id>account_id
--= login_activities = user_id>account_id
--= oauth_access_tokens = resource_owner_id>account_id
--= web_push_subscriptions = user_id>account_id
--= reports = account_id + target_account_id + assigned_account_id + action_taken_by_account_id
--= report_notes = account_id
--= account_stats = account_id
--= status_stats = status_id>account_id
--= status_edits = account_id
--= tags = nobody
--= statuses_tags = status_id>account_id
--= preview_cards = author_account_id
--= preview_cards_statuses = status_id>account_id | ask
--= custom_emojis = nobody
--= custom_emoji_categories = nobody
--= domain_blocks = nobody | ask
--= ip_blocks = ask
--= email_domain_blocks = nobody
--= canonical_email_blocks = reference_account_id
--= announcements = nobody | ask
--= announcement_mutes = account_id
--= rules = nobody
--= settings = ask | nobody
--= backups = user_id>account_id
--= schema_migrations = nobody
--= ar_internal_metadata = nobody
--! accounts.username accounts.display_name accounts.note accounts.private_key users.email users.encrypted_password users.sign_up_ip users.unconfirmed_email
--! users.otp_secret users.current_sign_in_at users.locale session_activations.ip session_activations.user_agent login_activities.ip statuses.text reports.comment
--! users.time_zone media_attachments.description ip_blocks.ip canonical_email_blocks.canonical_email_hash preview_cards.author_name
