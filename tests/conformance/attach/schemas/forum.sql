-- A discussion platform in the style of a large Rails application without any foreign key.
CREATE TABLE users (id serial PRIMARY KEY, username varchar(60) NOT NULL, name varchar, last_posted_at timestamp, active boolean NOT NULL DEFAULT false, username_lower varchar(60) NOT NULL,
  last_seen_at timestamp, admin boolean NOT NULL DEFAULT false, moderator boolean NOT NULL DEFAULT false, trust_level int NOT NULL, approved_by_id int, ip_address inet, registration_ip_address inet,
  locale varchar(10), primary_group_id int, flair_group_id int, title varchar, date_of_birth date, suspended_till timestamp, uploaded_avatar_id int, views int NOT NULL DEFAULT 0, secure_identifier varchar, created_at timestamp NOT NULL);
CREATE UNIQUE INDEX ON users (username); CREATE UNIQUE INDEX ON users (username_lower);
CREATE TABLE user_emails (id serial PRIMARY KEY, user_id int NOT NULL, email varchar(513) NOT NULL, normalized_email varchar, "primary" boolean NOT NULL DEFAULT false);
CREATE TABLE user_passwords (id serial PRIMARY KEY, user_id int NOT NULL, password_hash varchar(64) NOT NULL, password_salt varchar(32) NOT NULL, password_algorithm varchar(64) NOT NULL);
CREATE TABLE user_profiles (user_id int PRIMARY KEY, location varchar(3000), website varchar(3000), bio_raw text, bio_cooked text, views int NOT NULL DEFAULT 0, profile_background_upload_id int, granted_title_badge_id int);
CREATE TABLE user_options (user_id int PRIMARY KEY, mailing_list_mode boolean NOT NULL DEFAULT false, email_digests boolean, timezone varchar, theme_ids int[], dark_scheme_id int);
CREATE TABLE user_stats (user_id int PRIMARY KEY, topics_entered int NOT NULL DEFAULT 0, time_read int NOT NULL DEFAULT 0, posts_read_count int NOT NULL DEFAULT 0, likes_given int NOT NULL DEFAULT 0);
CREATE TABLE user_auth_tokens (id serial PRIMARY KEY, user_id int NOT NULL, auth_token varchar NOT NULL, prev_auth_token varchar NOT NULL, user_agent varchar, client_ip inet, rotated_at timestamp);
CREATE TABLE user_visits (id serial PRIMARY KEY, user_id int NOT NULL, visited_at date NOT NULL, posts_read int DEFAULT 0, mobile boolean DEFAULT false);
CREATE TABLE user_ip_address_histories (id bigserial PRIMARY KEY, user_id int NOT NULL, ip_address inet NOT NULL);
CREATE TABLE user_actions (id serial PRIMARY KEY, action_type int NOT NULL, user_id int NOT NULL, target_topic_id int, target_post_id int, target_user_id int, acting_user_id int, created_at timestamp NOT NULL);
CREATE TABLE user_histories (id serial PRIMARY KEY, action int NOT NULL, acting_user_id int, target_user_id int, details text, context varchar, ip_address varchar, email varchar, subject text, topic_id int, admin_only boolean);
CREATE TABLE categories (id serial PRIMARY KEY, name varchar(50) NOT NULL, color varchar(6) NOT NULL, topic_id int, topic_count int NOT NULL DEFAULT 0, user_id int NOT NULL, slug varchar NOT NULL, description text, parent_category_id int, position int);
CREATE TABLE topics (id serial PRIMARY KEY, title varchar NOT NULL, last_posted_at timestamp, views int NOT NULL DEFAULT 0, posts_count int NOT NULL DEFAULT 0, user_id int, last_post_user_id int NOT NULL, category_id int, archetype varchar NOT NULL DEFAULT 'regular', featured_user1_id int, featured_user2_id int, slug varchar, excerpt varchar, image_upload_id bigint, deleted_by_id int);
CREATE TABLE posts (id serial PRIMARY KEY, user_id int, topic_id int NOT NULL, post_number int NOT NULL, raw text NOT NULL, cooked text NOT NULL, reply_to_post_number int, reply_to_user_id int, deleted_by_id int, last_editor_id int, like_count int NOT NULL DEFAULT 0, locked_by_id int, edit_reason varchar, via_email boolean NOT NULL DEFAULT false, raw_email text, created_at timestamp NOT NULL);
CREATE TABLE post_revisions (id serial PRIMARY KEY, user_id int, post_id int, modifications text, number int, hidden boolean NOT NULL DEFAULT false);
CREATE TABLE post_actions (id serial PRIMARY KEY, post_id int NOT NULL, user_id int NOT NULL, post_action_type_id int NOT NULL, deleted_by_id int, deferred_by_id int, agreed_by_id int, related_post_id int);
CREATE TABLE post_action_types (id serial PRIMARY KEY, name_key varchar(50) NOT NULL, is_flag boolean NOT NULL DEFAULT false, position int NOT NULL DEFAULT 0);
CREATE TABLE post_details (id serial PRIMARY KEY, post_id int, key varchar, value varchar, extra text);
CREATE TABLE post_replies (post_id int, reply_post_id int);
CREATE UNIQUE INDEX ON post_replies (post_id, reply_post_id);
CREATE TABLE post_timings (topic_id int NOT NULL, post_number int NOT NULL, user_id int NOT NULL, msecs int NOT NULL);
CREATE UNIQUE INDEX ON post_timings (topic_id, post_number, user_id);
CREATE TABLE topic_users (id serial PRIMARY KEY, user_id int NOT NULL, topic_id int NOT NULL, posted boolean NOT NULL DEFAULT false, last_read_post_number int, notification_level int NOT NULL DEFAULT 1);
CREATE TABLE topic_allowed_users (id serial PRIMARY KEY, user_id int NOT NULL, topic_id int NOT NULL);
CREATE TABLE topic_allowed_groups (id serial PRIMARY KEY, group_id int NOT NULL, topic_id int NOT NULL);
CREATE TABLE topic_links (id serial PRIMARY KEY, topic_id int NOT NULL, post_id int, user_id int NOT NULL, url varchar NOT NULL, domain varchar(100) NOT NULL, link_topic_id int, clicks int NOT NULL DEFAULT 0, title varchar);
CREATE TABLE topic_link_clicks (id serial PRIMARY KEY, topic_link_id int NOT NULL, user_id int, ip_address inet);
CREATE TABLE topic_views (topic_id int NOT NULL, viewed_at date NOT NULL, user_id int, ip_address inet);
CREATE TABLE topic_tags (id serial PRIMARY KEY, topic_id int NOT NULL, tag_id int NOT NULL);
CREATE TABLE tags (id serial PRIMARY KEY, name varchar NOT NULL, target_tag_id int, description varchar);
CREATE TABLE groups (id serial PRIMARY KEY, name varchar NOT NULL, automatic boolean NOT NULL DEFAULT false, user_count int NOT NULL DEFAULT 0, title varchar, bio_raw text, smtp_server varchar, email_username varchar, email_password varchar);
CREATE TABLE group_users (id serial PRIMARY KEY, group_id int NOT NULL, user_id int NOT NULL, owner boolean NOT NULL DEFAULT false);
CREATE TABLE notifications (id serial PRIMARY KEY, notification_type int NOT NULL, user_id int NOT NULL, data varchar(1000) NOT NULL, read boolean NOT NULL DEFAULT false, topic_id int, post_number int, post_action_id int);
CREATE TABLE email_logs (id serial PRIMARY KEY, to_address varchar NOT NULL, email_type varchar NOT NULL, user_id int, post_id int, bounce_key uuid, message_id varchar);
CREATE TABLE incoming_emails (id serial PRIMARY KEY, user_id int, topic_id int, post_id int, raw text, error text, message_id text, from_address text, to_addresses text, subject text);
CREATE TABLE screened_emails (id serial PRIMARY KEY, email varchar NOT NULL, action_type int NOT NULL, match_count int NOT NULL DEFAULT 0, ip_address inet);
CREATE TABLE screened_ip_addresses (id serial PRIMARY KEY, ip_address inet NOT NULL, action_type int NOT NULL, match_count int NOT NULL DEFAULT 0);
CREATE TABLE invites (id serial PRIMARY KEY, invite_key varchar(32) NOT NULL, email varchar, invited_by_id int NOT NULL, redeemed_at timestamp, custom_message text, domain varchar);
CREATE TABLE invited_users (id bigserial PRIMARY KEY, user_id int, invite_id int NOT NULL, redeemed_at timestamp);
CREATE TABLE uploads (id serial PRIMARY KEY, user_id int NOT NULL, original_filename varchar NOT NULL, filesize bigint NOT NULL, url varchar NOT NULL, sha1 varchar(40), extension varchar(10));
CREATE TABLE drafts (id serial PRIMARY KEY, user_id int NOT NULL, draft_key varchar NOT NULL, data text NOT NULL, sequence bigint NOT NULL DEFAULT 0);
CREATE TABLE bookmarks (id bigserial PRIMARY KEY, user_id bigint NOT NULL, name varchar, reminder_at timestamp, bookmarkable_id int, bookmarkable_type varchar);
CREATE TABLE reviewables (id bigserial PRIMARY KEY, type varchar NOT NULL, status int NOT NULL DEFAULT 0, created_by_id int NOT NULL, reviewable_by_group_id int, target_id int, target_type varchar, target_created_by_id int, payload json, reject_reason text);
CREATE TABLE reviewable_scores (id bigserial PRIMARY KEY, reviewable_id int NOT NULL, user_id int NOT NULL, score float NOT NULL DEFAULT 0, reviewed_by_id int, reason varchar, context varchar);
CREATE TABLE badges (id serial PRIMARY KEY, name varchar NOT NULL, description text, badge_type_id int NOT NULL, icon varchar, query text, slug text);
CREATE TABLE user_badges (id serial PRIMARY KEY, badge_id int NOT NULL, user_id int NOT NULL, granted_at timestamp NOT NULL, granted_by_id int NOT NULL, post_id int);
CREATE TABLE polls (id bigserial PRIMARY KEY, post_id bigint, name varchar NOT NULL DEFAULT 'poll', title varchar, type int NOT NULL DEFAULT 0);
CREATE TABLE poll_options (id bigserial PRIMARY KEY, poll_id bigint, digest varchar NOT NULL, html text NOT NULL);
CREATE TABLE poll_votes (poll_id bigint, poll_option_id bigint, user_id bigint);
CREATE UNIQUE INDEX ON poll_votes (poll_id, poll_option_id, user_id);
CREATE TABLE chat_channels (id bigserial PRIMARY KEY, chatable_id bigint NOT NULL, chatable_type varchar NOT NULL, name varchar, description text, slug varchar);
CREATE TABLE chat_messages (id bigserial PRIMARY KEY, chat_channel_id bigint NOT NULL, user_id int, deleted_by_id int, in_reply_to_id bigint, message text, cooked text, last_editor_id int NOT NULL);
CREATE TABLE chat_message_reactions (id bigserial PRIMARY KEY, chat_message_id bigint, user_id int, emoji varchar);
CREATE TABLE search_logs (id serial PRIMARY KEY, term varchar NOT NULL, user_id int, ip_address inet, search_result_id int, search_type int NOT NULL);
CREATE TABLE web_crawler_requests (id bigserial PRIMARY KEY, date date NOT NULL, user_agent varchar NOT NULL, count int NOT NULL DEFAULT 0);
CREATE TABLE site_settings (id serial PRIMARY KEY, name varchar NOT NULL, data_type int NOT NULL, value text);
CREATE TABLE themes (id serial PRIMARY KEY, name varchar NOT NULL, user_id int NOT NULL, compiler_version int NOT NULL DEFAULT 0);
CREATE TABLE color_schemes (id serial PRIMARY KEY, name varchar NOT NULL, version int NOT NULL DEFAULT 1, theme_id int);
CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
--= users = id
--= user_emails = user_id
--= user_passwords = user_id
--= user_profiles = user_id
--= user_options = user_id
--= user_stats = user_id
--= user_auth_tokens = user_id
--= user_visits = user_id
--= user_ip_address_histories = user_id
--= user_actions = user_id + target_user_id + acting_user_id
--= user_histories = acting_user_id + target_user_id
--= categories = user_id
--= topics = user_id + last_post_user_id
--= posts = user_id
--= post_revisions = user_id
--= post_actions = user_id
--= post_action_types = nobody | ask
--= post_details = post_id>user_id
--= post_replies = post_id>user_id
--= post_timings = user_id
--= topic_users = user_id
--= topic_allowed_users = user_id
--= topic_allowed_groups = topic_id>user_id
--= topic_links = user_id
--= topic_link_clicks = user_id
--= topic_views = user_id
--= topic_tags = topic_id>user_id
--= tags = nobody
--= groups = ask
--= group_users = user_id
--= notifications = user_id
--= email_logs = user_id
--= incoming_emails = user_id
--= screened_emails = ask
--= screened_ip_addresses = ask
--= invites = invited_by_id
--= invited_users = user_id
--= uploads = user_id
--= drafts = user_id
--= bookmarks = user_id
--= reviewables = created_by_id + target_created_by_id
--= reviewable_scores = user_id + reviewed_by_id
--= badges = nobody
--= user_badges = user_id + granted_by_id
--= polls = post_id>user_id
--= poll_options = poll_id>post_id>user_id
--= poll_votes = user_id
--= chat_channels = ask
--= chat_messages = user_id
--= chat_message_reactions = user_id
--= search_logs = user_id
--= web_crawler_requests = ask | nobody
--= site_settings = nobody
--= themes = user_id
--= color_schemes = nobody | theme_id>user_id
--= schema_migrations = nobody
--! users.username users.name users.ip_address users.registration_ip_address users.date_of_birth users.locale users.title user_emails.email user_emails.normalized_email user_passwords.password_hash user_profiles.location user_profiles.website user_profiles.bio_raw
--! user_auth_tokens.auth_token user_auth_tokens.client_ip user_auth_tokens.user_agent user_ip_address_histories.ip_address user_histories.email user_histories.ip_address posts.raw posts.raw_email topics.title email_logs.to_address incoming_emails.from_address
--! screened_emails.email screened_ip_addresses.ip_address invites.email search_logs.term search_logs.ip_address topic_views.ip_address drafts.data chat_messages.message groups.email_username user_options.timezone notifications.data
