-- +goose Up

-- What people are told of; package notification. The event may be gone before
-- its notification is.
create table notifications (
  id              text collate "C" primary key,
  user_id         bigint not null references users (id) on delete cascade,
  event_id        text collate "C",
  severity        text not null,
  body            text not null,
  hyperlink       text,
  hyperlink_label text,
  seen            boolean not null,
  created         timestamptz not null,
  expires         timestamptz not null
);

create index notifications_user_id_idx on notifications (user_id, created);
create index notifications_expires_idx on notifications (expires);

-- How often a rule has notified somebody within a minute.
create table notification_counts (
  rule_id text collate "C" not null,
  minute  timestamptz not null,
  fired   integer not null,
  expires timestamptz not null,
  primary key (rule_id, minute)
);

create index notification_counts_expires_idx on notification_counts (expires);
