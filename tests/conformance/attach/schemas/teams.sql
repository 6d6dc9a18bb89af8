-- A team messenger in the style of a Go program: text ids of 26 characters, lower-case names run together, times as milliseconds.
CREATE TABLE users (id varchar(26) PRIMARY KEY, createat bigint, updateat bigint, deleteat bigint, username varchar(64) UNIQUE, password varchar(128), authdata varchar(128) UNIQUE, authservice varchar(32), email varchar(128) UNIQUE, emailverified boolean, nickname varchar(64), firstname varchar(64), lastname varchar(64), roles varchar(256), allowmarketing boolean, props jsonb, notifyprops jsonb, lastpasswordupdate bigint, failedattempts int, locale varchar(5), mfaactive boolean, mfasecret varchar(128), "position" varchar(128), timezone jsonb, lastlogin bigint);
CREATE TABLE teams (id varchar(26) PRIMARY KEY, createat bigint, displayname varchar(64), name varchar(64) UNIQUE, description varchar(255), email varchar(128), type varchar(255), companyname varchar(64), alloweddomains varchar(1000), inviteid varchar(32), schemeid varchar(26));
CREATE TABLE teammembers (teamid varchar(26) NOT NULL, userid varchar(26) NOT NULL, roles varchar(256), deleteat bigint, schemeuser boolean, PRIMARY KEY (teamid, userid));
CREATE TABLE channels (id varchar(26) PRIMARY KEY, createat bigint, teamid varchar(26), type varchar(1), displayname varchar(64), name varchar(64), header varchar(1024), purpose varchar(250), lastpostat bigint, totalmsgcount bigint, creatorid varchar(26), schemeid varchar(26));
CREATE TABLE channelmembers (channelid varchar(26) NOT NULL, userid varchar(26) NOT NULL, roles varchar(256), lastviewedat bigint, msgcount bigint, mentioncount bigint, notifyprops jsonb, PRIMARY KEY (channelid, userid));
CREATE TABLE posts (id varchar(26) PRIMARY KEY, createat bigint, updateat bigint, userid varchar(26), channelid varchar(26), rootid varchar(26), originalid varchar(26), message varchar(65535), type varchar(26), props jsonb, hashtags varchar(1000), filenames varchar(4000), fileids varchar(300), hasreactions boolean);
CREATE TABLE fileinfo (id varchar(26) PRIMARY KEY, creatorid varchar(26), postid varchar(26), createat bigint, path varchar(512), name varchar(256), extension varchar(64), size bigint, mimetype varchar(256), minipreview bytea, content text);
CREATE TABLE reactions (userid varchar(26) NOT NULL, postid varchar(26) NOT NULL, emojiname varchar(64) NOT NULL, createat bigint, PRIMARY KEY (postid, userid, emojiname));
CREATE TABLE sessions (id varchar(26) PRIMARY KEY, token varchar(26), createat bigint, expiresat bigint, lastactivityat bigint, userid varchar(26), deviceid varchar(512), roles varchar(256), props jsonb);
CREATE TABLE audits (id varchar(26) PRIMARY KEY, createat bigint, userid varchar(26), action varchar(512), extrainfo varchar(1024), ipaddress varchar(64), sessionid varchar(26));
CREATE TABLE preferences (userid varchar(26) NOT NULL, category varchar(32) NOT NULL, name varchar(32) NOT NULL, value varchar(2000), PRIMARY KEY (userid, category, name));
CREATE TABLE status (userid varchar(26) PRIMARY KEY, status varchar(32), manual boolean, lastactivityat bigint, dndendtime bigint);
CREATE TABLE threads (postid varchar(26) PRIMARY KEY, replycount bigint, lastreplyat bigint, participants jsonb, channelid varchar(26));
CREATE TABLE threadmemberships (postid varchar(26) NOT NULL, userid varchar(26) NOT NULL, following boolean, lastviewed bigint, PRIMARY KEY (postid, userid));
CREATE TABLE incomingwebhooks (id varchar(26) PRIMARY KEY, createat bigint, userid varchar(26), channelid varchar(26), teamid varchar(26), displayname varchar(64), description varchar(500), username varchar(255), iconurl varchar(1024));
CREATE TABLE outgoingwebhooks (id varchar(26) PRIMARY KEY, token varchar(26), creatorid varchar(26), channelid varchar(26), teamid varchar(26), callbackurls varchar(1024));
CREATE TABLE commands (id varchar(26) PRIMARY KEY, token varchar(26), creatorid varchar(26), teamid varchar(26), trigger varchar(128), method varchar(1), username varchar(64), url varchar(1024));
CREATE TABLE useraccesstokens (id varchar(26) PRIMARY KEY, token varchar(26) UNIQUE, userid varchar(26), description varchar(255), isactive boolean);
CREATE TABLE oauthapps (id varchar(26) PRIMARY KEY, creatorid varchar(26), createat bigint, clientsecret varchar(128), name varchar(64), callbackurls varchar(1024), homepage varchar(256));
CREATE TABLE oauthaccessdata (token varchar(26) PRIMARY KEY, refreshtoken varchar(26), redirecturi varchar(256), clientid varchar(26), userid varchar(26), expiresat bigint, scope varchar(128));
CREATE TABLE emoji (id varchar(26) PRIMARY KEY, createat bigint, creatorid varchar(26), name varchar(64));
CREATE TABLE bots (userid varchar(26) PRIMARY KEY, description varchar(1024), ownerid varchar(190), lasticonupdate bigint);
CREATE TABLE drafts (createat bigint, userid varchar(26) NOT NULL, channelid varchar(26) NOT NULL, rootid varchar(26) NOT NULL DEFAULT '', message varchar(65535), props varchar(8000), fileids varchar(300), PRIMARY KEY (userid, channelid, rootid));
CREATE TABLE channelmemberhistory (channelid varchar(26) NOT NULL, userid varchar(26) NOT NULL, jointime bigint NOT NULL, leavetime bigint, PRIMARY KEY (channelid, userid, jointime));
CREATE TABLE usergroups (id varchar(26) PRIMARY KEY, name varchar(64), displayname varchar(128), description varchar(1024), source varchar(64), remoteid varchar(48));
CREATE TABLE groupmembers (groupid varchar(26) NOT NULL, userid varchar(26) NOT NULL, createat bigint, PRIMARY KEY (groupid, userid));
CREATE TABLE termsofservice (id varchar(26) PRIMARY KEY, createat bigint, userid varchar(26), text varchar(65535));
CREATE TABLE usertermsofservice (userid varchar(26) PRIMARY KEY, termsofserviceid varchar(26), createat bigint);
CREATE TABLE tokens (token varchar(64) PRIMARY KEY, createat bigint, type varchar(64), extra varchar(2048));
CREATE TABLE jobs (id varchar(26) PRIMARY KEY, type varchar(32), priority bigint, createat bigint, status varchar(32), progress bigint, data jsonb);
CREATE TABLE systems (name varchar(64) PRIMARY KEY, value varchar(1024));
CREATE TABLE licenses (id varchar(26) PRIMARY KEY, createat bigint, bytes varchar(10000));
CREATE TABLE roles (id varchar(26) PRIMARY KEY, name varchar(64) UNIQUE, displayname varchar(128), description varchar(1024), permissions text, builtin boolean);
CREATE TABLE linkmetadata (hash bigint PRIMARY KEY, url varchar(2048), "timestamp" bigint, type varchar(16), data jsonb);
CREATE TABLE db_migrations (version bigint PRIMARY KEY, name varchar NOT NULL);
--= users = id
--= teams = ask | nobody
--= teammembers = userid
--= channels = creatorid
--= channelmembers = userid
--= posts = userid
--= fileinfo = creatorid
--= reactions = userid
--= sessions = userid
--= audits = userid
--= preferences = userid
--= status = userid
--= threads = postid>userid
--= threadmemberships = userid
--= incomingwebhooks = userid
--= outgoingwebhooks = creatorid
--= commands = creatorid
--= useraccesstokens = userid
--= oauthapps = creatorid
--= oauthaccessdata = userid
--= emoji = creatorid
--= bots = userid + ownerid
--= drafts = userid
--= channelmemberhistory = userid
--= usergroups = nobody | ask
--= groupmembers = userid
--= termsofservice = userid
--= usertermsofservice = userid
--= tokens = ask
--= jobs = nobody | ask
--= systems = nobody | ask
--= licenses = nobody
--= roles = nobody
--= linkmetadata = nobody | ask
--= db_migrations = nobody
--! users.username users.password users.email users.nickname users.firstname users.lastname users.locale users.mfasecret users.position users.timezone users.authdata users.props teams.email posts.message posts.filenames fileinfo.name fileinfo.content fileinfo.path
--! sessions.token sessions.deviceid sessions.props audits.ipaddress audits.extrainfo preferences.value drafts.message useraccesstokens.token tokens.extra jobs.data channels.header incomingwebhooks.username reactions.emojiname
