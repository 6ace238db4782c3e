-- +goose Up

-- Which versions of the program have served this database, each when it was another
-- than before.
create table version_history (
  id      bigint primary key,
  version text collate "C" not null,
  build   text collate "C" not null,
  started timestamptz not null
);
