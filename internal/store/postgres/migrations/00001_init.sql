-- +goose Up

create table install (
  id         integer primary key check (id = 1),
  install_id text not null,
  data_key   bytea not null,
  latches    jsonb not null default '{}',
  created    timestamptz not null
);

-- Configuration: every version of every object, and who made it.

create table catalog_head (
  id       integer primary key check (id = 1),
  revision bigint not null
);

insert into catalog_head (id, revision) values (1, 0);

create table catalog_revisions (
  revision bigint primary key,
  created  timestamptz not null,
  actor_id bigint,
  actor    text collate "C" not null,
  source   text collate "C" not null,
  summary  jsonb not null
);

create index catalog_revisions_created_idx on catalog_revisions (created);

create table catalog_versions (
  id       text collate "C" not null,
  kind     text collate "C" not null,
  type     text collate "C" not null,
  revision bigint not null,
  doc      jsonb not null,
  deleted  boolean not null,
  current  boolean not null,
  primary key (id, revision)
);

create unique index catalog_versions_current_idx on catalog_versions (id) where current;
create index catalog_versions_kind_idx on catalog_versions (kind, id) where current;
create index catalog_versions_revision_idx on catalog_versions (revision);

-- References of the current versions only.
create table catalog_refs (
  from_id text collate "C" not null,
  field   text collate "C" not null,
  to_kind text collate "C" not null,
  to_id   text collate "C" not null,
  primary key (from_id, field, to_kind, to_id)
);

create index catalog_refs_to_idx on catalog_refs (to_kind, to_id);

-- People. The _key columns hold what is compared: NFKC and case folded.

create table users (
  id                  bigint generated always as identity primary key,
  uuid                text collate "C" not null unique,
  username            text collate "C" not null,
  username_key        text collate "C" not null unique,
  name                text collate "C" not null,
  email               text collate "C" not null,
  email_key           text collate "C" not null,
  upn_key             text collate "C" not null,
  is_active           boolean not null,
  type                text collate "C" not null,
  path                text collate "C" not null,
  attributes          jsonb not null,
  password_hash       text not null,
  password_changed_at timestamptz not null,
  last_login          timestamptz,
  date_joined         timestamptz not null,
  last_updated        timestamptz not null
);

create index users_email_key_idx on users (email_key);
create index users_upn_key_idx on users (upn_key);

create table groups (
  id           text collate "C" primary key,
  name         text collate "C" not null,
  name_key     text collate "C" not null unique,
  is_superuser boolean not null,
  attributes   jsonb not null,
  created      timestamptz not null,
  updated      timestamptz not null
);

create table group_parents (
  group_id  text collate "C" not null references groups (id) on delete cascade,
  parent_id text collate "C" not null references groups (id) on delete cascade,
  primary key (group_id, parent_id)
);

create index group_parents_parent_id_idx on group_parents (parent_id);

create table group_members (
  group_id text collate "C" not null references groups (id) on delete cascade,
  user_id  bigint not null references users (id) on delete cascade,
  primary key (group_id, user_id)
);

create index group_members_user_id_idx on group_members (user_id);

create table roles (
  id   text collate "C" primary key,
  name text collate "C" not null unique
);

create table role_users (
  role_id text collate "C" not null references roles (id) on delete cascade,
  user_id bigint not null references users (id) on delete cascade,
  primary key (role_id, user_id)
);

create index role_users_user_id_idx on role_users (user_id);

create table role_groups (
  role_id  text collate "C" not null references roles (id) on delete cascade,
  group_id text collate "C" not null references groups (id) on delete cascade,
  primary key (role_id, group_id)
);

create index role_groups_group_id_idx on role_groups (group_id);

-- An empty object_kind and object_id grant the permission on everything.
create table role_grants (
  role_id     text collate "C" not null references roles (id) on delete cascade,
  permission  text collate "C" not null,
  object_kind text collate "C" not null default '',
  object_id   text collate "C" not null default '',
  primary key (role_id, permission, object_kind, object_id)
);

create index role_grants_object_idx on role_grants (object_kind, object_id);

-- Browsers. The key is the SHA-256 of the cookie's value, in hex.

create table sessions (
  key              text collate "C" primary key,
  uuid             text collate "C" not null unique,
  user_id          bigint references users (id) on delete cascade,
  created          timestamptz not null,
  expires          timestamptz not null,
  last_used        timestamptz not null,
  last_ip          text not null,
  last_user_agent  text not null,
  browser_length   boolean not null,
  data             jsonb not null,
  auth_backend     text not null,
  auth_method      text not null,
  auth_method_args jsonb not null,
  network_binding  text not null,
  geoip_binding    text not null
);

create index sessions_user_id_idx on sessions (user_id);
create index sessions_expires_idx on sessions (expires);

-- Counted before the session may exist, so there is no foreign key.
create table session_counters (
  session_key text collate "C" not null,
  name        text collate "C" not null,
  n           integer not null,
  expires     timestamptz not null,
  primary key (session_key, name)
);

create index session_counters_expires_idx on session_counters (expires);

create table executions (
  id          text collate "C" primary key,
  session_key text collate "C" not null references sessions (key) on delete cascade,
  flow_id     text collate "C" not null,
  version     integer not null,
  plan        bytea not null,
  created     timestamptz not null,
  updated     timestamptz not null,
  expires     timestamptz not null,
  unique (session_key, flow_id)
);

create index executions_expires_idx on executions (expires);

-- The trace outlives its execution, so there is no foreign key.
create table execution_steps (
  execution_id text collate "C" not null,
  n            integer not null,
  created      timestamptz not null,
  expires      timestamptz not null,
  step         jsonb not null,
  primary key (execution_id, n)
);

create index execution_steps_expires_idx on execution_steps (expires);

create table tokens (
  id          text collate "C" primary key,
  identifier  text collate "C" not null unique,
  key_hash    text collate "C" not null unique,
  key_sealed  bytea not null,
  intent      text collate "C" not null,
  user_id     bigint not null references users (id) on delete cascade,
  description text not null,
  expires     timestamptz,
  expiring    boolean not null,
  created     timestamptz not null,
  last_used   timestamptz
);

create index tokens_user_id_idx on tokens (user_id);
create index tokens_expires_idx on tokens (expires);

create table events (
  id        text collate "C" primary key,
  action    text collate "C" not null,
  app       text collate "C" not null,
  user_json jsonb not null,
  context   jsonb not null,
  client_ip text not null,
  brand     jsonb not null,
  created   timestamptz not null,
  expires   timestamptz not null
);

create index events_created_idx on events (created);
create index events_action_idx on events (action, created);
create index events_expires_idx on events (expires);
