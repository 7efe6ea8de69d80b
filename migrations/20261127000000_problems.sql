-- Incidents with the same fingerprint are one problem, and a problem has a life of its own: it is resolved by a person, and
-- comes back.

alter table incidents add column release text;

comment on column incidents.release is 'The release of the user''s code, else the version of the function; null when no source gave either.';

create table problems (
    id text primary key,
    stack text not null,
    function text,
    layer text,
    product text,
    cause text not null,
    operation text,
    summary text not null,
    latest_incident text not null,
    incidents bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    state text not null,
    resolved_at timestamptz,
    resolved_by text,
    regressed_at timestamptz,
    changed_at timestamptz not null
);

create index problems_last_at on problems (last_at desc, id desc);

comment on table problems is 'Incidents of the same stack, function, layer, cause and operation; written in the transaction that writes the incidents.';
comment on column problems.id is 'The fingerprint; incidents.problem.';
comment on column problems.stack is 'The stack it belongs to.';
comment on column problems.function is 'The function or service, as the latest incident names it.';
comment on column problems.layer is 'The layer whose limit fired; null while unknown.';
comment on column problems.product is 'The product of that layer.';
comment on column problems.cause is 'One of docs/causes/, or unknown.';
comment on column problems.operation is 'The operation that was in flight, as the latest incident names it.';
comment on column problems.summary is 'The verdict of the latest incident.';
comment on column problems.latest_incident is 'The ID of the latest incident.';
comment on column problems.incidents is 'How many incidents have this fingerprint.';
comment on column problems.first_at is 'When the first of them happened.';
comment on column problems.last_at is 'When the latest of them happened.';
comment on column problems.state is 'open, resolved (somebody said so) or regressed (it came back after that).';
comment on column problems.resolved_at is 'When it was last said to be resolved; null if never.';
comment on column problems.resolved_by is 'Who said so.';
comment on column problems.regressed_at is 'The first incident after it was resolved; null if there is none.';
comment on column problems.changed_at is 'When this row was last written.';

insert into problems (
    id, stack, function, layer, product, cause, operation, summary, latest_incident, incidents, first_at, last_at, state, changed_at
)
select distinct on (problem)
    problem,
    stack,
    function,
    layer,
    product,
    cause,
    operation,
    summary,
    id,
    count(*) over whole,
    min(at) over whole,
    at,
    'open',
    changed_at
from incidents
window whole as (partition by problem)
order by problem, at desc, id desc;

create view problems_v1 as
select
    id,
    stack,
    function,
    layer,
    product,
    cause,
    operation,
    summary,
    latest_incident,
    incidents,
    first_at,
    last_at,
    state,
    resolved_at,
    resolved_by,
    regressed_at
from problems;

comment on view problems_v1 is 'Problems for people and their tools, such as Grafana''s Postgres data source; its columns stay.';
