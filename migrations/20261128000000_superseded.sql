-- A line that names no request makes an incident of its own; once more is known it belongs to that of a request. Who was told of
-- the first still holds a link to it.

create table superseded (
    incident_id text primary key,
    superseded_by text not null,
    at timestamptz not null
);

create index superseded_at on superseded (at);

comment on table superseded is 'Incidents that turned out to be part of others, for links to them that were sent.';
comment on column superseded.incident_id is 'The incident that is no more.';
comment on column superseded.superseded_by is 'The incident that rests on evidence of it.';
comment on column superseded.at is 'When that was found.';
