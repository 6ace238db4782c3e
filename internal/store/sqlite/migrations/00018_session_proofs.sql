-- +goose Up

-- What the user of a session has proved in it; type flow.Proof.
alter table sessions add column proofs text not null default '[]';
