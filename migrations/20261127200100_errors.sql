-- The errors of a stack in order. Each stack has a counter, which its row's lock hands out one at a time: a number is visible
-- only when all before it are, so whoever reads on from the last one it saw misses nothing. A bigserial could not promise that.

create table error_sequences (
    stack text primary key,
    last bigint not null
);

comment on table error_sequences is 'How many errors a stack has had; locked by whoever writes one until that is committed.';
comment on column error_sequences.stack is 'The stack.';
comment on column error_sequences.last is 'The number of its latest error.';

create table errors (
    stack text not null,
    sequence bigint not null,
    incident_id text not null,
    change_id bigint not null,
    at timestamptz not null,
    primary key (stack, sequence)
);

create unique index errors_incident_id on errors (incident_id);
create index errors_at on errors (at);

comment on table errors is 'Incidents that were confirmed or lost, once each, in the order in which their stack came to know of them.';
comment on column errors.stack is 'The stack.';
comment on column errors.sequence is 'Counted from 1 per stack, without gaps.';
comment on column errors.incident_id is 'The incident.';
comment on column errors.change_id is 'The change by which it became an error; holds the incident as it was then.';
comment on column errors.at is 'When it became one.';
