-- +goose Up

-- How names and addresses of the network have behaved; package reputation.
create table reputation (
  id          text collate "C" primary key,
  identifier  text collate "C" not null,
  ip          text collate "C" not null,
  ip_geo_data jsonb not null,
  ip_asn_data jsonb not null,
  score       bigint not null,
  updated     timestamptz not null,
  expires     timestamptz not null,
  unique (identifier, ip)
);

create index reputation_ip_idx on reputation (ip);
create index reputation_expires_idx on reputation (expires);
-- The rows that say least are the first to go.
create index reputation_score_idx on reputation (abs(score), expires);
