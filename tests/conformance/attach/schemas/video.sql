-- A federated video platform in the style of a TypeScript ORM: quoted camelCase names, users, accounts and actors apart.
CREATE TABLE "user" (id serial PRIMARY KEY, username varchar(255) NOT NULL, email varchar(400) NOT NULL, "pendingEmail" varchar(400), password varchar(255), "emailVerified" boolean, "nsfwPolicy" varchar(255) NOT NULL DEFAULT 'display', blocked boolean NOT NULL DEFAULT false, "blockedReason" varchar(255), role int NOT NULL, "videoQuota" bigint NOT NULL, "lastLoginDate" timestamptz, "lastLoginIP" varchar(255), "otpSecret" varchar(255), language varchar(255), "feedToken" uuid NOT NULL DEFAULT gen_random_uuid(), "createdAt" timestamptz NOT NULL);
CREATE UNIQUE INDEX ON "user" (username); CREATE UNIQUE INDEX ON "user" (email);
CREATE TABLE server (id serial PRIMARY KEY, host varchar(255) NOT NULL, "redundancyAllowed" boolean NOT NULL DEFAULT false);
CREATE TABLE actor (id serial PRIMARY KEY, type varchar(255) NOT NULL, "preferredUsername" varchar(255) NOT NULL, url varchar(2000) NOT NULL, "publicKey" varchar(5000), "privateKey" varchar(5000), "followersCount" int NOT NULL, "inboxUrl" varchar(2000) NOT NULL, "serverId" int REFERENCES server, "createdAt" timestamptz NOT NULL);
CREATE TABLE account (id serial PRIMARY KEY, name varchar(255) NOT NULL, description varchar(1000), "actorId" int NOT NULL REFERENCES actor ON DELETE CASCADE, "userId" int REFERENCES "user" ON DELETE CASCADE, "applicationId" int, "createdAt" timestamptz NOT NULL);
CREATE UNIQUE INDEX ON account ("userId"); CREATE UNIQUE INDEX ON account ("actorId");
CREATE TABLE "actorFollow" (id serial PRIMARY KEY, state varchar(255) NOT NULL, score int NOT NULL DEFAULT 1000, "actorId" int NOT NULL REFERENCES actor, "targetActorId" int NOT NULL REFERENCES actor);
CREATE TABLE "actorImage" (id serial PRIMARY KEY, filename varchar(255) NOT NULL, "fileUrl" varchar(255), type int NOT NULL, "actorId" int NOT NULL REFERENCES actor);
CREATE TABLE "videoChannel" (id serial PRIMARY KEY, name varchar(255) NOT NULL, description varchar(1000), support varchar(1000), "accountId" int NOT NULL REFERENCES account, "actorId" int NOT NULL REFERENCES actor);
CREATE TABLE video (id serial PRIMARY KEY, uuid uuid NOT NULL, name varchar(255) NOT NULL, category int, language varchar(255), privacy int NOT NULL, description varchar(10000), duration int NOT NULL, views int NOT NULL DEFAULT 0, url varchar(2000) NOT NULL, "channelId" int NOT NULL REFERENCES "videoChannel", "publishedAt" timestamptz NOT NULL);
CREATE TABLE "videoFile" (id serial PRIMARY KEY, resolution int NOT NULL, size bigint NOT NULL, extname varchar(255) NOT NULL, "infoHash" varchar(255), filename varchar(255), "videoId" int REFERENCES video);
CREATE TABLE "videoComment" (id serial PRIMARY KEY, url varchar(2000) NOT NULL, text text NOT NULL, "originCommentId" int REFERENCES "videoComment", "inReplyToCommentId" int REFERENCES "videoComment", "videoId" int NOT NULL REFERENCES video, "accountId" int REFERENCES account, "deletedAt" timestamptz);
CREATE TABLE "accountVideoRate" (id serial PRIMARY KEY, type varchar(20) NOT NULL, url varchar(2000) NOT NULL, "videoId" int NOT NULL REFERENCES video, "accountId" int NOT NULL REFERENCES account);
CREATE TABLE "accountBlocklist" (id serial PRIMARY KEY, "accountId" int NOT NULL REFERENCES account, "targetAccountId" int NOT NULL REFERENCES account);
CREATE TABLE "userVideoHistory" (id serial PRIMARY KEY, "currentTime" int NOT NULL, "videoId" int NOT NULL REFERENCES video, "userId" int NOT NULL REFERENCES "user");
CREATE TABLE "userNotification" (id serial PRIMARY KEY, type int NOT NULL, read boolean NOT NULL DEFAULT false, "userId" int NOT NULL REFERENCES "user", "videoId" int REFERENCES video, "commentId" int REFERENCES "videoComment", "accountId" int REFERENCES account);
CREATE TABLE "userNotificationSetting" (id serial PRIMARY KEY, "newCommentOnMyVideo" int NOT NULL, "userId" int NOT NULL REFERENCES "user");
CREATE TABLE "oAuthClient" (id serial PRIMARY KEY, "clientId" varchar(255) NOT NULL, "clientSecret" varchar(255) NOT NULL, grants varchar(255)[], "redirectUris" varchar(255)[]);
CREATE TABLE "oAuthToken" (id serial PRIMARY KEY, "accessToken" varchar(255) NOT NULL, "refreshToken" varchar(255) NOT NULL, "loginIP" varchar(255), "loginDevice" varchar(255), "lastActivityIP" varchar(255), "userId" int NOT NULL REFERENCES "user", "oAuthClientId" int NOT NULL REFERENCES "oAuthClient");
CREATE TABLE abuse (id serial PRIMARY KEY, reason varchar(3000), state int NOT NULL, "moderationComment" varchar(3000), "reporterAccountId" int REFERENCES account, "flaggedAccountId" int REFERENCES account);
CREATE TABLE "abuseMessage" (id serial PRIMARY KEY, message text NOT NULL, "byModerator" boolean NOT NULL, "accountId" int REFERENCES account, "abuseId" int NOT NULL REFERENCES abuse);
CREATE TABLE "videoAbuse" (id serial PRIMARY KEY, "startAt" int, "deletedVideo" jsonb, "abuseId" int NOT NULL REFERENCES abuse, "videoId" int REFERENCES video);
CREATE TABLE "videoPlaylist" (id serial PRIMARY KEY, name varchar(255) NOT NULL, description varchar(1000), privacy int NOT NULL, uuid uuid NOT NULL, "ownerAccountId" int NOT NULL REFERENCES account);
CREATE TABLE "videoPlaylistElement" (id serial PRIMARY KEY, position int NOT NULL DEFAULT 1, "videoPlaylistId" int NOT NULL REFERENCES "videoPlaylist", "videoId" int REFERENCES video);
CREATE TABLE tag (id serial PRIMARY KEY, name varchar(255) NOT NULL);
CREATE TABLE "videoTag" ("videoId" int NOT NULL REFERENCES video, "tagId" int NOT NULL REFERENCES tag, PRIMARY KEY ("videoId", "tagId"));
CREATE TABLE "userRegistration" (id serial PRIMARY KEY, state int NOT NULL, "registrationReason" text NOT NULL, "moderationResponse" text, password varchar(255), username varchar(255) NOT NULL, email varchar(400) NOT NULL, "channelHandle" varchar(255), "userId" int REFERENCES "user");
CREATE TABLE plugin (id serial PRIMARY KEY, name varchar(255) NOT NULL, type int NOT NULL, version varchar(255) NOT NULL, enabled boolean NOT NULL, settings jsonb);
CREATE TABLE application (id serial PRIMARY KEY, "migrationVersion" int NOT NULL DEFAULT 0, "nodeVersion" varchar(255));
CREATE TABLE "videoView" (id serial PRIMARY KEY, "startDate" timestamptz NOT NULL, views int NOT NULL, "videoId" int NOT NULL REFERENCES video);
CREATE TABLE "videoPassword" (id serial PRIMARY KEY, password varchar(255) NOT NULL, "videoId" int NOT NULL REFERENCES video);
--= user = id | id>id
--= server = nobody | ask
--= actor = id>userId | id>id | id
--= account = userId | id
--= actorFollow = actorId>id>userId + targetActorId>id>userId | actorId>id>id + targetActorId>id>id
--= actorImage = actorId>id>userId | actorId>id>id
--= videoChannel = accountId>userId | accountId
--= video = channelId>accountId>userId | channelId>accountId
--= videoFile = videoId>channelId>accountId>userId | videoId>channelId>accountId
--= videoComment = accountId>userId | accountId
--= accountVideoRate = accountId>userId | accountId
--= accountBlocklist = accountId>userId + targetAccountId>userId | accountId + targetAccountId
--= userVideoHistory = userId | userId>id>id
--= userNotification = userId | userId>id>id
--= userNotificationSetting = userId | userId>id>id
--= oAuthClient = nobody | ask
--= oAuthToken = userId | userId>id>id
--= abuse = reporterAccountId>userId + flaggedAccountId>userId | reporterAccountId + flaggedAccountId
--= abuseMessage = accountId>userId | accountId
--= videoAbuse = abuseId>reporterAccountId>userId | abuseId>reporterAccountId
--= videoPlaylist = ownerAccountId>userId | ownerAccountId
--= videoPlaylistElement = videoPlaylistId>ownerAccountId>userId | videoPlaylistId>ownerAccountId
--= tag = nobody
--= videoTag = videoId>channelId>accountId>userId | videoId>channelId>accountId
--= userRegistration = userId | userId>id>id
--= plugin = nobody
--= application = nobody | ask
--= videoView = videoId>channelId>accountId>userId | videoId>channelId>accountId
--= videoPassword = videoId>channelId>accountId>userId | videoId>channelId>accountId
--! user.username user.email user.pendingEmail user.password user.lastLoginIP user.otpSecret user.language actor.preferredUsername actor.privateKey account.name account.description oAuthToken.loginIP oAuthToken.accessToken oAuthToken.loginDevice
--! userRegistration.email userRegistration.username videoComment.text abuse.reason abuseMessage.message video.description userVideoHistory.currentTime
