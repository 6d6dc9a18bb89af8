-- A federated network in the style of an old Rails application: people beside users, foreign keys here and there, many polymorphic pairs.
CREATE TABLE people (id bigserial PRIMARY KEY, guid varchar(255) NOT NULL, diaspora_handle varchar(255) NOT NULL, serialized_public_key text NOT NULL, owner_id int, closed_account boolean DEFAULT false, fetch_status int DEFAULT 0, pod_id int);
CREATE UNIQUE INDEX ON people (guid); CREATE UNIQUE INDEX ON people (diaspora_handle); CREATE UNIQUE INDEX ON people (owner_id);
CREATE TABLE users (id bigserial PRIMARY KEY, username varchar(255) NOT NULL, serialized_private_key text, language varchar(255), email varchar(255) NOT NULL, encrypted_password varchar(255) NOT NULL, reset_password_token varchar, remember_created_at timestamp, sign_in_count int, current_sign_in_ip varchar(255), last_sign_in_ip varchar, invited_by_id int, authentication_token varchar(30), unconfirmed_email varchar, exported_photos_file varchar, otp_backup_codes text, color_theme varchar);
CREATE UNIQUE INDEX ON users (username); CREATE UNIQUE INDEX ON users (email);
CREATE TABLE profiles (id serial PRIMARY KEY, diaspora_handle varchar, first_name varchar(127), last_name varchar(127), image_url varchar, birthday date, gender varchar, bio text, searchable boolean, person_id int NOT NULL REFERENCES people ON DELETE CASCADE, location varchar, full_name varchar(70), nsfw boolean);
CREATE TABLE posts (id serial PRIMARY KEY, author_id int NOT NULL REFERENCES people ON DELETE CASCADE, public boolean NOT NULL DEFAULT false, guid varchar NOT NULL, type varchar(40) NOT NULL, text text, provider_display_name varchar, root_guid varchar, likes_count int DEFAULT 0, tweet_id varchar);
CREATE TABLE comments (id serial PRIMARY KEY, text text NOT NULL, commentable_id int NOT NULL, author_id int NOT NULL REFERENCES people ON DELETE CASCADE, guid varchar NOT NULL, commentable_type varchar(60) NOT NULL DEFAULT 'Post');
CREATE TABLE likes (id serial PRIMARY KEY, positive boolean DEFAULT true, target_id int, author_id int REFERENCES people ON DELETE CASCADE, guid varchar, target_type varchar(60) NOT NULL);
CREATE TABLE photos (id serial PRIMARY KEY, author_id int NOT NULL, public boolean NOT NULL DEFAULT false, guid varchar NOT NULL, text text, remote_photo_path text, random_string varchar, status_message_guid varchar, height int, width int);
CREATE TABLE aspects (id serial PRIMARY KEY, name varchar NOT NULL, user_id int NOT NULL, order_id int, chat_enabled boolean);
CREATE TABLE contacts (id serial PRIMARY KEY, user_id int NOT NULL, person_id int NOT NULL REFERENCES people ON DELETE CASCADE, sharing boolean NOT NULL DEFAULT false, receiving boolean NOT NULL DEFAULT false);
CREATE TABLE aspect_memberships (id serial PRIMARY KEY, aspect_id int NOT NULL REFERENCES aspects, contact_id int NOT NULL REFERENCES contacts);
CREATE TABLE aspect_visibilities (id serial PRIMARY KEY, shareable_id int NOT NULL, aspect_id int NOT NULL REFERENCES aspects, shareable_type varchar NOT NULL DEFAULT 'Post');
CREATE TABLE blocks (id serial PRIMARY KEY, user_id int, person_id int);
CREATE TABLE conversations (id serial PRIMARY KEY, subject varchar, guid varchar NOT NULL, author_id int NOT NULL REFERENCES people);
CREATE TABLE conversation_visibilities (id serial PRIMARY KEY, conversation_id int NOT NULL REFERENCES conversations, person_id int NOT NULL REFERENCES people, unread int NOT NULL DEFAULT 0);
CREATE TABLE messages (id serial PRIMARY KEY, conversation_id int NOT NULL REFERENCES conversations, author_id int NOT NULL REFERENCES people, guid varchar NOT NULL, text text NOT NULL);
CREATE TABLE notifications (id serial PRIMARY KEY, target_type varchar, target_id int, recipient_id int NOT NULL, unread boolean NOT NULL DEFAULT true, type varchar);
CREATE TABLE notification_actors (id serial PRIMARY KEY, notification_id int REFERENCES notifications, person_id int);
CREATE TABLE participations (id serial PRIMARY KEY, guid varchar, target_id int, target_type varchar(60) NOT NULL, author_id int, count int NOT NULL DEFAULT 1);
CREATE TABLE mentions (id serial PRIMARY KEY, mentions_container_id int NOT NULL, person_id int NOT NULL, mentions_container_type varchar NOT NULL);
CREATE TABLE share_visibilities (id serial PRIMARY KEY, shareable_id int NOT NULL, hidden boolean NOT NULL DEFAULT false, shareable_type varchar(60) NOT NULL DEFAULT 'Post', user_id int NOT NULL);
CREATE TABLE taggings (id serial PRIMARY KEY, tag_id int, taggable_id int, taggable_type varchar(127), tagger_id int, tagger_type varchar(127), context varchar(127));
CREATE TABLE tags (id serial PRIMARY KEY, name varchar, taggings_count int DEFAULT 0);
CREATE TABLE tag_followings (id serial PRIMARY KEY, tag_id int NOT NULL, user_id int NOT NULL);
CREATE TABLE services (id serial PRIMARY KEY, type varchar(127) NOT NULL, user_id int NOT NULL, uid varchar(127), access_token varchar, access_secret varchar, nickname varchar);
CREATE TABLE user_preferences (id serial PRIMARY KEY, email_type varchar, user_id int);
CREATE TABLE invitation_codes (id serial PRIMARY KEY, token varchar, user_id int, count int);
CREATE TABLE reports (id serial PRIMARY KEY, item_id int NOT NULL, item_type varchar NOT NULL, reviewed boolean NOT NULL DEFAULT false, text text, user_id int NOT NULL);
CREATE TABLE roles (id serial PRIMARY KEY, person_id int, name varchar);
CREATE TABLE locations (id serial PRIMARY KEY, address varchar, lat varchar, lng varchar, status_message_id int);
CREATE TABLE polls (id serial PRIMARY KEY, question varchar NOT NULL, status_message_id int NOT NULL, status boolean, guid varchar);
CREATE TABLE poll_answers (id serial PRIMARY KEY, answer varchar NOT NULL, poll_id int NOT NULL, guid varchar, vote_count int DEFAULT 0);
CREATE TABLE poll_participations (id serial PRIMARY KEY, poll_answer_id int NOT NULL, author_id int NOT NULL, poll_id int NOT NULL, guid varchar);
CREATE TABLE pods (id serial PRIMARY KEY, host varchar NOT NULL, ssl boolean, status int, software varchar(255), error varchar(255), port int, blocked boolean);
CREATE TABLE o_embed_caches (id serial PRIMARY KEY, url varchar(1024) NOT NULL, data text NOT NULL);
CREATE TABLE open_graph_caches (id serial PRIMARY KEY, title varchar, ob_type varchar, image text, url text, description text);
CREATE TABLE authorizations (id serial PRIMARY KEY, user_id int, o_auth_application_id int, refresh_token varchar, code varchar, redirect_uri varchar, nonce varchar, scopes text);
CREATE TABLE o_auth_applications (id serial PRIMARY KEY, user_id int, client_id varchar, client_secret varchar, client_name varchar, redirect_uris text);
CREATE TABLE o_auth_access_tokens (id serial PRIMARY KEY, authorization_id int, token varchar, expires_at timestamp);
CREATE TABLE account_deletions (id serial PRIMARY KEY, person_id int, completed_at timestamp);
CREATE TABLE account_migrations (id bigserial PRIMARY KEY, old_person_id int NOT NULL, new_person_id int NOT NULL, completed_at timestamp);
CREATE TABLE comment_signatures (comment_id int NOT NULL, author_signature text NOT NULL, signature_order_id int NOT NULL);
CREATE UNIQUE INDEX ON comment_signatures (comment_id);
CREATE TABLE signature_orders (id serial PRIMARY KEY, "order" varchar NOT NULL);
CREATE TABLE "references" (id bigserial PRIMARY KEY, source_id int NOT NULL, source_type varchar(60) NOT NULL, target_id int NOT NULL, target_type varchar(60) NOT NULL);
CREATE TABLE chat_contacts (id serial PRIMARY KEY, user_id int NOT NULL, jid varchar NOT NULL, name varchar, ask varchar(128), subscription varchar(128) NOT NULL);
CREATE TABLE chat_offline_messages (id serial PRIMARY KEY, "from" varchar NOT NULL, "to" varchar NOT NULL, message text NOT NULL);
CREATE TABLE simple_captcha_data (id serial PRIMARY KEY, key varchar(40), value varchar(12));
CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
--= account_deletions = person_id>owner_id
--= account_migrations = ask
--= aspect_memberships = aspect_id>user_id + contact_id>person_id>owner_id + contact_id>user_id
--= aspect_visibilities = aspect_id>user_id
--= aspects = user_id
--= authorizations = user_id
--= blocks = user_id + person_id>owner_id
--= chat_contacts = user_id
--= chat_offline_messages = ask
--= comment_signatures = comment_id>author_id>owner_id
--= comments = author_id>owner_id
--= contacts = person_id>owner_id + user_id
--= conversation_visibilities = person_id>owner_id
--= conversations = author_id>owner_id
--= invitation_codes = user_id
--= likes = author_id>owner_id
--= locations = ask
--= mentions = person_id>owner_id
--= messages = author_id>owner_id
--= notification_actors = person_id>owner_id
--= notifications = recipient_id
--= o_auth_access_tokens = authorization_id>user_id
--= o_auth_applications = user_id
--= o_embed_caches = nobody | ask
--= open_graph_caches = nobody | ask
--= participations = author_id>owner_id
--= people = owner_id
--= photos = author_id>owner_id
--= pods = nobody | ask
--= poll_answers = ask
--= poll_participations = author_id>owner_id
--= polls = ask
--= posts = author_id>owner_id
--= profiles = person_id>owner_id
--= references = ask
--= reports = user_id
--= roles = person_id>owner_id
--= schema_migrations = nobody
--= services = user_id
--= share_visibilities = user_id
--= signature_orders = nobody | ask
--= simple_captcha_data = nobody
--= tag_followings = user_id
--= taggings = ask
--= tags = nobody
--= user_preferences = user_id
--= users = id + invited_by_id
--! users.username users.email users.encrypted_password users.current_sign_in_ip users.language people.diaspora_handle profiles.first_name profiles.birthday profiles.gender profiles.bio profiles.location profiles.image_url posts.text comments.text
--! messages.text conversations.subject services.access_token services.nickname chat_contacts.jid chat_offline_messages.message chat_offline_messages.from locations.address locations.lat reports.text poll_answers.answer authorizations.refresh_token users.otp_backup_codes
