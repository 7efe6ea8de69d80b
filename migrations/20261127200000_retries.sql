-- Retries of requests: the one action with effects. A row is written, under a lock, before anything is sent, so that what
-- may run is never more than what is counted.

create table retries (
    id text primary key,
    incident_id text not null,
    problem text not null,
    stack text not null,
    subject text not null,
    attempt integer not null,
    number integer not null,
    rule text not null,
    action text not null,
    delivery_id text not null,
    state text not null,
    begun_at timestamptz not null,
    ended_at timestamptz,
    took_ms double precision,
    detail text not null,
    result_request_id text,
    token_digest text,
    look_at timestamptz
);

create index retries_incident_id on retries using hash (incident_id);
create index retries_subject on retries using hash (subject);
create index retries_problem on retries (problem, begun_at);
create index retries_action on retries (action, begun_at);
create index retries_begun_at on retries (begun_at);
create index retries_result_request_id on retries using hash (result_request_id);
create index retries_look_at on retries (look_at) where look_at is not null;

comment on table retries is 'Requests that were run again, each with what became of it.';
comment on column retries.id is 'The idempotency key: ovr-, the incident, and its number.';
comment on column retries.incident_id is 'The incident: one attempt of the platform at the request.';
comment on column retries.problem is 'The problem that the incident belonged to at that time.';
comment on column retries.stack is 'The stack of the request.';
comment on column retries.subject is 'The key of the request, which all its attempts share.';
comment on column retries.attempt is 'Which attempt of the platform it repeats, from 1.';
comment on column retries.number is 'Which retry of the request it is, from 1.';
comment on column retries.rule is 'The rule that asked for it, or who asked by hand.';
comment on column retries.action is 'The retry action.';
comment on column retries.delivery_id is 'The delivery, whose attempts tell of every sending.';
comment on column retries.state is 'begun (being sent), not_taken (surely not run), accepted (taken, result to come), succeeded, failed, unknown (nobody can tell whether it ran).';
comment on column retries.begun_at is 'When it was decided.';
comment on column retries.ended_at is 'When its result was known.';
comment on column retries.took_ms is 'How long the run took, in milliseconds; null while not known.';
comment on column retries.detail is 'What the other side said, or how the run ended.';
comment on column retries.result_request_id is 'The request ID under which it runs, where the other side said one.';
comment on column retries.token_digest is 'Digest of the token in the address to which its result is posted.';
comment on column retries.look_at is 'When to look for evidence of its result; null when there is nothing to look for.';

comment on column deliveries.state is 'pending, delivered, declined (left undone on purpose) or parked (given up, kept for people).';
comment on column attempts.outcome is 'delivered, retry, declined or refused.';
comment on column deliveries.change_id is 'The change that caused it; 0 where a person asked for it.';
