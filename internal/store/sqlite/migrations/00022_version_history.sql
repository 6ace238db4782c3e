-- +goose Up

-- Which versions of the program have served this database, each when it was another
-- than before.
create table version_history (
  id      integer primary key,
  version text not null,
  build   text not null,
  started timestamp not null
);
