-- A link aggregator in the style of a Rust application: people apart from their local settings, communities, foreign keys.
CREATE TYPE listing AS ENUM ('All', 'Local', 'Subscribed');
CREATE TABLE site (id serial PRIMARY KEY, name varchar(20) NOT NULL, sidebar text, published timestamptz NOT NULL DEFAULT now(), private_key text, public_key text NOT NULL DEFAULT '');
CREATE TABLE instance (id serial PRIMARY KEY, domain varchar(255) NOT NULL UNIQUE, software varchar(255), version varchar(255));
CREATE TABLE person (id serial PRIMARY KEY, name varchar(255) NOT NULL, display_name varchar(255), avatar text, banned boolean NOT NULL DEFAULT false, published timestamptz NOT NULL DEFAULT now(), actor_id varchar(255) NOT NULL UNIQUE, bio text, local boolean NOT NULL DEFAULT true, private_key text, public_key text NOT NULL, banner text, inbox_url varchar(255) NOT NULL, matrix_user_id text, instance_id int NOT NULL REFERENCES instance);
CREATE TABLE local_user (id serial PRIMARY KEY, person_id int NOT NULL UNIQUE REFERENCES person ON DELETE CASCADE, password_encrypted text NOT NULL, email text UNIQUE, show_nsfw boolean NOT NULL DEFAULT false, theme text NOT NULL DEFAULT 'browser', default_listing_type listing NOT NULL DEFAULT 'Local', interface_language varchar(20) NOT NULL DEFAULT 'browser', totp_2fa_secret text, last_donation_notification timestamptz);
CREATE TABLE language (id serial PRIMARY KEY, code varchar(3) NOT NULL, name text NOT NULL);
CREATE TABLE local_user_language (id serial PRIMARY KEY, local_user_id int NOT NULL REFERENCES local_user, language_id int NOT NULL REFERENCES language);
CREATE TABLE login_token (token text NOT NULL PRIMARY KEY, user_id int NOT NULL REFERENCES local_user, published timestamptz NOT NULL DEFAULT now(), ip text, user_agent text);
CREATE TABLE email_verification (id serial PRIMARY KEY, local_user_id int NOT NULL REFERENCES local_user, email text NOT NULL, verification_token text NOT NULL);
CREATE TABLE password_reset_request (id serial PRIMARY KEY, token text NOT NULL, local_user_id int NOT NULL REFERENCES local_user);
CREATE TABLE registration_application (id serial PRIMARY KEY, local_user_id int NOT NULL UNIQUE REFERENCES local_user, answer text NOT NULL, admin_id int REFERENCES person, deny_reason text);
CREATE TABLE community (id serial PRIMARY KEY, name varchar(255) NOT NULL, title varchar(255) NOT NULL, description text, removed boolean NOT NULL DEFAULT false, published timestamptz NOT NULL DEFAULT now(), actor_id varchar(255) NOT NULL UNIQUE, private_key text, public_key text NOT NULL, icon text, instance_id int NOT NULL REFERENCES instance);
CREATE TABLE community_moderator (id serial PRIMARY KEY, community_id int NOT NULL REFERENCES community, person_id int NOT NULL REFERENCES person);
CREATE TABLE community_follower (community_id int NOT NULL REFERENCES community, person_id int NOT NULL REFERENCES person, pending boolean NOT NULL, PRIMARY KEY (person_id, community_id));
CREATE TABLE community_person_ban (community_id int NOT NULL REFERENCES community, person_id int NOT NULL REFERENCES person, expires timestamptz, PRIMARY KEY (person_id, community_id));
CREATE TABLE community_aggregates (community_id int PRIMARY KEY REFERENCES community, subscribers bigint NOT NULL DEFAULT 0, posts bigint NOT NULL DEFAULT 0);
CREATE TABLE post (id serial PRIMARY KEY, name varchar(200) NOT NULL, url varchar(512), body text, creator_id int NOT NULL REFERENCES person, community_id int NOT NULL REFERENCES community, removed boolean NOT NULL DEFAULT false, embed_title text, thumbnail_url text, ap_id varchar(255) NOT NULL, language_id int NOT NULL DEFAULT 0 REFERENCES language, published timestamptz NOT NULL DEFAULT now());
CREATE TABLE post_like (post_id int NOT NULL REFERENCES post, person_id int NOT NULL REFERENCES person, score smallint NOT NULL, PRIMARY KEY (person_id, post_id));
CREATE TABLE post_read (post_id int NOT NULL REFERENCES post, person_id int NOT NULL REFERENCES person, PRIMARY KEY (person_id, post_id));
CREATE TABLE post_report (id serial PRIMARY KEY, creator_id int NOT NULL REFERENCES person, post_id int NOT NULL REFERENCES post, original_post_name varchar(200) NOT NULL, original_post_body text, reason text NOT NULL, resolved boolean NOT NULL DEFAULT false, resolver_id int REFERENCES person);
CREATE TABLE post_aggregates (post_id int PRIMARY KEY REFERENCES post, comments bigint NOT NULL DEFAULT 0, score bigint NOT NULL DEFAULT 0, creator_id int NOT NULL REFERENCES person, hot_rank float8);
CREATE TABLE comment (id serial PRIMARY KEY, creator_id int NOT NULL REFERENCES person, post_id int NOT NULL REFERENCES post, content text NOT NULL, removed boolean NOT NULL DEFAULT false, ap_id varchar(255) NOT NULL, path text NOT NULL DEFAULT '0');
CREATE TABLE comment_like (person_id int NOT NULL REFERENCES person, comment_id int NOT NULL REFERENCES comment, score smallint NOT NULL, PRIMARY KEY (person_id, comment_id));
CREATE TABLE comment_reply (id serial PRIMARY KEY, recipient_id int NOT NULL REFERENCES person, comment_id int NOT NULL REFERENCES comment, read boolean NOT NULL DEFAULT false);
CREATE TABLE comment_aggregates (comment_id int PRIMARY KEY REFERENCES comment, score bigint NOT NULL DEFAULT 0, upvotes bigint NOT NULL DEFAULT 0);
CREATE TABLE private_message (id serial PRIMARY KEY, creator_id int NOT NULL REFERENCES person, recipient_id int NOT NULL REFERENCES person, content text NOT NULL, read boolean NOT NULL DEFAULT false, ap_id varchar(255) NOT NULL);
CREATE TABLE private_message_report (id serial PRIMARY KEY, creator_id int NOT NULL REFERENCES person, private_message_id int NOT NULL REFERENCES private_message, original_pm_text text NOT NULL, reason text NOT NULL);
CREATE TABLE person_block (person_id int NOT NULL REFERENCES person, target_id int NOT NULL REFERENCES person, PRIMARY KEY (person_id, target_id));
CREATE TABLE person_aggregates (person_id int PRIMARY KEY REFERENCES person, post_count bigint NOT NULL DEFAULT 0);
CREATE TABLE mod_ban (id serial PRIMARY KEY, mod_person_id int NOT NULL REFERENCES person, other_person_id int NOT NULL REFERENCES person, reason text, banned boolean NOT NULL DEFAULT true);
CREATE TABLE admin_purge_post (id serial PRIMARY KEY, admin_person_id int NOT NULL REFERENCES person, community_id int NOT NULL REFERENCES community, reason text);
CREATE TABLE local_image (local_user_id int REFERENCES local_user, pictrs_alias text NOT NULL PRIMARY KEY, pictrs_delete_token text NOT NULL);
CREATE TABLE image_details (link text NOT NULL PRIMARY KEY, width int NOT NULL, height int NOT NULL, content_type text NOT NULL);
CREATE TABLE federation_blocklist (instance_id int PRIMARY KEY REFERENCES instance, published timestamptz NOT NULL DEFAULT now());
CREATE TABLE sent_activity (id bigserial PRIMARY KEY, ap_id text NOT NULL UNIQUE, data json NOT NULL, sensitive boolean NOT NULL, send_inboxes text[] NOT NULL, actor_type text NOT NULL);
CREATE TABLE tagline (id serial PRIMARY KEY, content text NOT NULL, published timestamptz NOT NULL DEFAULT now());
CREATE TABLE custom_emoji (id serial PRIMARY KEY, shortcode varchar(128) NOT NULL UNIQUE, image_url text NOT NULL UNIQUE, alt_text text NOT NULL, category text NOT NULL);
CREATE TABLE captcha_answer (uuid uuid PRIMARY KEY DEFAULT gen_random_uuid(), answer text NOT NULL, published timestamptz NOT NULL DEFAULT now());
CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on timestamp NOT NULL DEFAULT now());
--= site = nobody
--= instance = nobody
--= person = id
--= local_user = person_id
--= language = nobody
--= local_user_language = local_user_id>person_id
--= login_token = user_id>person_id
--= email_verification = local_user_id>person_id
--= password_reset_request = local_user_id>person_id
--= registration_application = local_user_id>person_id + admin_id
--= community = nobody | ask
--= community_moderator = person_id
--= community_follower = person_id
--= community_person_ban = person_id
--= community_aggregates = nobody | ask
--= post = creator_id
--= post_like = person_id
--= post_read = person_id
--= post_report = creator_id + resolver_id
--= post_aggregates = creator_id
--= comment = creator_id
--= comment_like = person_id
--= comment_reply = recipient_id
--= comment_aggregates = comment_id>creator_id
--= private_message = creator_id + recipient_id
--= private_message_report = creator_id
--= person_block = person_id + target_id
--= person_aggregates = person_id
--= mod_ban = mod_person_id + other_person_id
--= admin_purge_post = admin_person_id
--= local_image = local_user_id>person_id
--= image_details = nobody | ask
--= federation_blocklist = nobody
--= sent_activity = ask
--= tagline = nobody | ask
--= custom_emoji = nobody
--= captcha_answer = nobody | ask
--= __diesel_schema_migrations = nobody
--! person.name person.display_name person.bio person.private_key person.matrix_user_id person.avatar local_user.password_encrypted local_user.email local_user.totp_2fa_secret login_token.ip login_token.user_agent email_verification.email registration_application.answer
--! post.body post.name comment.content private_message.content private_message_report.original_pm_text post_report.reason sent_activity.data local_user.interface_language
