-- +goose Up

create table install (
  id         integer primary key check (id = 1),
  install_id text not null,
  data_key   blob not null,
  latches    text not null default '{}',
  created    timestamp not null
);

-- Configuration: every version of every object, and who made it.

create table catalog_head (
  id       integer primary key check (id = 1),
  revision bigint not null
);

insert into catalog_head (id, revision) values (1, 0);

create table catalog_revisions (
  revision bigint primary key,
  created  timestamp not null,
  actor_id bigint,
  actor    text not null,
  source   text not null,
  summary  text not null
);

create index catalog_revisions_created_idx on catalog_revisions (created);

create table catalog_versions (
  id       text not null,
  kind     text not null,
  type     text not null,
  revision bigint not null,
  doc      text not null,
  deleted  boolean not null,
  current  boolean not null,
  primary key (id, revision)
);

create unique index catalog_versions_current_idx on catalog_versions (id) where current;
create index catalog_versions_kind_idx on catalog_versions (kind, id) where current;
create index catalog_versions_revision_idx on catalog_versions (revision);

-- References of the current versions only.
create table catalog_refs (
  from_id text not null,
  field   text not null,
  to_kind text not null,
  to_id   text not null,
  primary key (from_id, field, to_kind, to_id)
) without rowid;

create index catalog_refs_to_idx on catalog_refs (to_kind, to_id);

-- People. The _key columns hold what is compared: NFKC and case folded.

create table users (
  id                  integer primary key autoincrement,
  uuid                text not null unique,
  username            text not null,
  username_key        text not null unique,
  name                text not null,
  email               text not null,
  email_key           text not null,
  upn_key             text not null,
  is_active           boolean not null,
  type                text not null,
  path                text not null,
  attributes          text not null,
  password_hash       text not null,
  password_changed_at timestamp not null,
  last_login          timestamp,
  date_joined         timestamp not null,
  last_updated        timestamp not null
);

create index users_email_key_idx on users (email_key);
create index users_upn_key_idx on users (upn_key);

create table groups (
  id           text primary key,
  name         text not null,
  name_key     text not null unique,
  is_superuser boolean not null,
  attributes   text not null,
  created      timestamp not null,
  updated      timestamp not null
);

create table group_parents (
  group_id  text not null references groups (id) on delete cascade,
  parent_id text not null references groups (id) on delete cascade,
  primary key (group_id, parent_id)
) without rowid;

create index group_parents_parent_id_idx on group_parents (parent_id);

create table group_members (
  group_id text not null references groups (id) on delete cascade,
  user_id  bigint not null references users (id) on delete cascade,
  primary key (group_id, user_id)
) without rowid;

create index group_members_user_id_idx on group_members (user_id);

create table roles (
  id   text primary key,
  name text not null unique
);

create table role_users (
  role_id text not null references roles (id) on delete cascade,
  user_id bigint not null references users (id) on delete cascade,
  primary key (role_id, user_id)
) without rowid;

create index role_users_user_id_idx on role_users (user_id);

create table role_groups (
  role_id  text not null references roles (id) on delete cascade,
  group_id text not null references groups (id) on delete cascade,
  primary key (role_id, group_id)
) without rowid;

create index role_groups_group_id_idx on role_groups (group_id);

-- An empty object_kind and object_id grant the permission on everything.
create table role_grants (
  role_id     text not null references roles (id) on delete cascade,
  permission  text not null,
  object_kind text not null default '',
  object_id   text not null default '',
  primary key (role_id, permission, object_kind, object_id)
) without rowid;

create index role_grants_object_idx on role_grants (object_kind, object_id);

-- Browsers. The key is the SHA-256 of the cookie's value, in hex.

create table sessions (
  key              text primary key,
  uuid             text not null unique,
  user_id          bigint references users (id) on delete cascade,
  created          timestamp not null,
  expires          timestamp not null,
  last_used        timestamp not null,
  last_ip          text not null,
  last_user_agent  text not null,
  browser_length   boolean not null,
  data             text not null,
  auth_backend     text not null,
  auth_method      text not null,
  auth_method_args text not null,
  network_binding  text not null,
  geoip_binding    text not null
);

create index sessions_user_id_idx on sessions (user_id);
create index sessions_expires_idx on sessions (expires);

-- Counted before the session may exist, so there is no foreign key.
create table session_counters (
  session_key text not null,
  name        text not null,
  n           integer not null,
  expires     timestamp not null,
  primary key (session_key, name)
) without rowid;

create index session_counters_expires_idx on session_counters (expires);

create table executions (
  id          text primary key,
  session_key text not null references sessions (key) on delete cascade,
  flow_id     text not null,
  version     integer not null,
  plan        blob not null,
  created     timestamp not null,
  updated     timestamp not null,
  expires     timestamp not null,
  unique (session_key, flow_id)
);

create index executions_expires_idx on executions (expires);

-- The trace outlives its execution, so there is no foreign key.
create table execution_steps (
  execution_id text not null,
  n            integer not null,
  created      timestamp not null,
  expires      timestamp not null,
  step         text not null,
  primary key (execution_id, n)
);

create index execution_steps_expires_idx on execution_steps (expires);

create table tokens (
  id          text primary key,
  identifier  text not null unique,
  key_hash    text not null unique,
  key_sealed  blob not null,
  intent      text not null,
  user_id     bigint not null references users (id) on delete cascade,
  description text not null,
  expires     timestamp,
  expiring    boolean not null,
  created     timestamp not null,
  last_used   timestamp
);

create index tokens_user_id_idx on tokens (user_id);
create index tokens_expires_idx on tokens (expires);

create table events (
  id        text primary key,
  action    text not null,
  app       text not null,
  user_json text not null,
  context   text not null,
  client_ip text not null,
  brand     text not null,
  created   timestamp not null,
  expires   timestamp not null
);

create index events_created_idx on events (created);
create index events_action_idx on events (action, created);
create index events_expires_idx on events (expires);
