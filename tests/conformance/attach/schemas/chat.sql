-- A group chat for organisations in the style of a Django application: one prefix, integer keys, foreign keys.
CREATE TABLE zap_realm (id serial PRIMARY KEY, name varchar(40), string_id varchar(40) NOT NULL, description text NOT NULL DEFAULT '', date_created timestamptz NOT NULL, default_language varchar(50) NOT NULL, plan_type smallint NOT NULL, uuid uuid NOT NULL UNIQUE);
CREATE TABLE zap_recipient (id serial PRIMARY KEY, type_id int NOT NULL, type smallint NOT NULL, UNIQUE (type, type_id));
CREATE TABLE zap_userprofile (id serial PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, delivery_email varchar(254) NOT NULL, email varchar(254) NOT NULL, full_name varchar(100) NOT NULL, date_joined timestamptz NOT NULL, tos_version varchar(10), api_key varchar(32) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, role smallint NOT NULL, is_bot boolean NOT NULL, timezone varchar(40) NOT NULL, avatar_source varchar(1) NOT NULL, default_language varchar(50) NOT NULL, color_scheme smallint NOT NULL, bot_owner_id int REFERENCES zap_userprofile DEFERRABLE INITIALLY DEFERRED, realm_id int NOT NULL REFERENCES zap_realm, recipient_id int REFERENCES zap_recipient);
CREATE TABLE zap_client (id serial PRIMARY KEY, name varchar(30) NOT NULL UNIQUE);
CREATE TABLE zap_stream (id serial PRIMARY KEY, name varchar(60) NOT NULL, description varchar(1024) NOT NULL, invite_only boolean, creator_id int REFERENCES zap_userprofile, realm_id int NOT NULL REFERENCES zap_realm, recipient_id int REFERENCES zap_recipient);
CREATE TABLE zap_message (id serial PRIMARY KEY, subject varchar(60) NOT NULL, content text NOT NULL, rendered_content text, date_sent timestamptz NOT NULL, recipient_id int NOT NULL REFERENCES zap_recipient, sender_id int NOT NULL REFERENCES zap_userprofile, sending_client_id int NOT NULL REFERENCES zap_client, realm_id int NOT NULL REFERENCES zap_realm, edit_history text, search_tsvector tsvector, has_image boolean NOT NULL);
CREATE TABLE zap_archivedmessage (id int PRIMARY KEY, subject varchar(60) NOT NULL, content text NOT NULL, recipient_id int NOT NULL REFERENCES zap_recipient, sender_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_usermessage (id bigserial PRIMARY KEY, flags bigint NOT NULL, message_id int NOT NULL REFERENCES zap_message, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_reaction (id serial PRIMARY KEY, emoji_name text NOT NULL, emoji_code text NOT NULL, message_id int NOT NULL REFERENCES zap_message, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_subscription (id serial PRIMARY KEY, active boolean NOT NULL, color varchar(10) NOT NULL, is_muted boolean, recipient_id int NOT NULL REFERENCES zap_recipient, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_attachment (id serial PRIMARY KEY, file_name text NOT NULL, path_id text NOT NULL UNIQUE, size int NOT NULL, owner_id int NOT NULL REFERENCES zap_userprofile, realm_id int REFERENCES zap_realm);
CREATE TABLE zap_attachment_messages (id serial PRIMARY KEY, attachment_id int NOT NULL REFERENCES zap_attachment, message_id int NOT NULL REFERENCES zap_message);
CREATE TABLE zap_draft (id serial PRIMARY KEY, topic varchar(60) NOT NULL, content text NOT NULL, recipient_id int REFERENCES zap_recipient, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_userpresence (id bigserial PRIMARY KEY, last_connected_time timestamptz, last_active_time timestamptz, realm_id int NOT NULL REFERENCES zap_realm, user_profile_id int NOT NULL UNIQUE REFERENCES zap_userprofile);
CREATE TABLE zap_useractivity (id serial PRIMARY KEY, query varchar(50) NOT NULL, count int NOT NULL, last_visit timestamptz NOT NULL, client_id int NOT NULL REFERENCES zap_client, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_customprofilefield (id serial PRIMARY KEY, name varchar(40) NOT NULL, hint varchar(80) NOT NULL, field_type smallint NOT NULL, field_data text NOT NULL, realm_id int NOT NULL REFERENCES zap_realm);
CREATE TABLE zap_customprofilefieldvalue (id serial PRIMARY KEY, value text NOT NULL, field_id int NOT NULL REFERENCES zap_customprofilefield, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_pushdevicetoken (id serial PRIMARY KEY, kind smallint NOT NULL, token varchar(4096) NOT NULL, user_id int NOT NULL REFERENCES zap_userprofile, ios_app_id text);
CREATE TABLE zap_muteduser (id serial PRIMARY KEY, date_muted timestamptz NOT NULL, muted_user_id int NOT NULL REFERENCES zap_userprofile, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_preregistrationuser (id serial PRIMARY KEY, email varchar(254) NOT NULL, full_name varchar(100), invited_at timestamptz NOT NULL, realm_id int REFERENCES zap_realm, referred_by_id int REFERENCES zap_userprofile, created_user_id int REFERENCES zap_userprofile);
CREATE TABLE zap_multiuseinvite (id serial PRIMARY KEY, invited_as smallint NOT NULL, realm_id int NOT NULL REFERENCES zap_realm, referred_by_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_realmauditlog (id serial PRIMARY KEY, event_time timestamptz NOT NULL, event_type smallint NOT NULL, extra_data jsonb NOT NULL, acting_user_id int REFERENCES zap_userprofile, modified_user_id int REFERENCES zap_userprofile, modified_stream_id int REFERENCES zap_stream, realm_id int NOT NULL REFERENCES zap_realm);
CREATE TABLE zap_realmdomain (id serial PRIMARY KEY, domain varchar(80) NOT NULL, allow_subdomains boolean NOT NULL, realm_id int NOT NULL REFERENCES zap_realm);
CREATE TABLE zap_realmemoji (id serial PRIMARY KEY, name text NOT NULL, file_name text, author_id int REFERENCES zap_userprofile, realm_id int NOT NULL REFERENCES zap_realm);
CREATE TABLE zap_usergroup (id serial PRIMARY KEY, name varchar(100) NOT NULL, description text NOT NULL, is_system_group boolean NOT NULL, realm_id int NOT NULL REFERENCES zap_realm);
CREATE TABLE zap_usergroupmembership (id serial PRIMARY KEY, user_group_id int NOT NULL REFERENCES zap_usergroup, user_profile_id int NOT NULL REFERENCES zap_userprofile);
CREATE TABLE zap_huddle (id serial PRIMARY KEY, huddle_hash varchar(40) NOT NULL UNIQUE, recipient_id int REFERENCES zap_recipient);
CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date timestamptz NOT NULL);
CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL);
CREATE TABLE django_content_type (id serial PRIMARY KEY, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL);
CREATE TABLE confirmation_confirmation (id serial PRIMARY KEY, object_id int NOT NULL, date_sent timestamptz NOT NULL, confirmation_key varchar(40) NOT NULL, type smallint NOT NULL, content_type_id int NOT NULL REFERENCES django_content_type, realm_id int REFERENCES zap_realm);
CREATE TABLE social_auth_usersocialauth (id serial PRIMARY KEY, provider varchar(32) NOT NULL, uid varchar(255) NOT NULL, extra_data text NOT NULL, user_id int NOT NULL REFERENCES zap_userprofile);
--= zap_realm = nobody | ask
--= zap_recipient = nobody | ask
--= zap_userprofile = id + bot_owner_id
--= zap_client = nobody | ask
--= zap_stream = creator_id
--= zap_message = sender_id
--= zap_archivedmessage = sender_id
--= zap_usermessage = user_profile_id
--= zap_reaction = user_profile_id
--= zap_subscription = user_profile_id
--= zap_attachment = owner_id
--= zap_attachment_messages = attachment_id>owner_id + message_id>sender_id
--= zap_draft = user_profile_id
--= zap_userpresence = user_profile_id
--= zap_useractivity = user_profile_id
--= zap_customprofilefield = nobody | ask
--= zap_customprofilefieldvalue = user_profile_id
--= zap_pushdevicetoken = user_id
--= zap_muteduser = muted_user_id + user_profile_id
--= zap_preregistrationuser = referred_by_id + created_user_id
--= zap_multiuseinvite = referred_by_id
--= zap_realmauditlog = acting_user_id + modified_user_id
--= zap_realmdomain = nobody | ask
--= zap_realmemoji = author_id
--= zap_usergroup = nobody | ask
--= zap_usergroupmembership = user_profile_id
--= zap_huddle = nobody | ask
--= django_session = ask
--= django_migrations = nobody
--= django_content_type = nobody
--= confirmation_confirmation = ask
--= social_auth_usersocialauth = user_id
--! zap_userprofile.password zap_userprofile.delivery_email zap_userprofile.email zap_userprofile.full_name zap_userprofile.api_key zap_userprofile.timezone zap_userprofile.last_login zap_message.content zap_message.subject zap_message.search_tsvector zap_archivedmessage.content
--! zap_draft.content zap_pushdevicetoken.token zap_preregistrationuser.email zap_preregistrationuser.full_name social_auth_usersocialauth.uid django_session.session_data zap_customprofilefieldvalue.value zap_useractivity.query confirmation_confirmation.confirmation_key
