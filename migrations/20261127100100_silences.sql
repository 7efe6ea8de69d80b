-- What people are not told: silences that somebody set, and what a problem that was told keeps quiet.

create table silences (
    id bigserial primary key,
    matchers json not null,
    condition text,
    comment text not null,
    created_by text not null,
    created_at timestamptz not null,
    ends_at timestamptz,
    problem text
);

create index silences_ends_at on silences (ends_at);
create index silences_problem on silences (problem) where problem is not null;

comment on table silences is 'Incidents that nobody is told of for a while, because somebody said so.';
comment on column silences.id is 'In order of entry.';
comment on column silences.matchers is 'Fields of the incident and the values that they must have, as a JSON object.';
comment on column silences.condition is 'A CEL condition that must hold as well; null if there is none.';
comment on column silences.comment is 'Why.';
comment on column silences.created_by is 'Who says so.';
comment on column silences.created_at is 'When it began.';
comment on column silences.ends_at is 'When it ends; null: when its problem is resolved.';
comment on column silences.problem is 'The problem that it is about, where it is about one; matchers say the same.';

create table silenced (
    incident_id text not null,
    silence_id bigint not null,
    at timestamptz not null,
    primary key (incident_id, silence_id)
);

create index silenced_at on silenced (at);

comment on table silenced is 'Incidents that came while a silence held them.';
comment on column silenced.incident_id is 'The incident.';
comment on column silenced.silence_id is 'The silence.';
comment on column silenced.at is 'When the rules looked at it.';

create table inhibitions (
    key text primary key,
    name text not null,
    problem text not null,
    incident_id text not null,
    until timestamptz not null
);

create index inhibitions_until on inhibitions (until);

comment on table inhibitions is 'Problems of which people were told and which keep others quiet that share something with them.';
comment on column inhibitions.key is 'Digest of the inhibition''s name and of what they share.';
comment on column inhibitions.name is 'Its name in the rules file.';
comment on column inhibitions.problem is 'The problem that is told.';
comment on column inhibitions.incident_id is 'The incident that began it.';
comment on column inhibitions.until is 'How long it holds unless it strikes again.';
