-- Everything that Overrun keeps. Words are those of design.md §2; times are UTC moments; durations carry their unit in the name.
--
-- Two rules shape the schema. The hot path only appends (evidence, links: partitioned by arrival, hash indexes only).
-- What is read by people (incidents, deliveries) is small, because a healthy request never becomes a row of its own.
--
-- Keys are stored in the text form of `domain::Key`: `request/…`, `trace/…`, `worker/PID/INSTANCE`, `instance/…`,
-- `loose/…`. Text longer than 400 bytes is cut and ends in a digest of the whole, so that it always fits an index.

create table evidence (
    stack text not null,
    key text not null,
    received_at timestamptz not null,
    observed_at timestamptz,
    kind text not null,
    source text not null,
    format text not null,
    anomalous boolean not null,
    origin json,
    claim json not null
) partition by range (received_at);

create index evidence_key on evidence using hash (key);

comment on table evidence is 'What sources claimed, as they said it; never edited. One partition per hour of arrival, named evidence_YYYYMMDD_HH.';
comment on column evidence.stack is 'The stack of the source. Keys hold within one stack.';
comment on column evidence.key is 'The narrowest key the claim can be found under.';
comment on column evidence.received_at is 'When it reached us, by our clock; decides the partition.';
comment on column evidence.observed_at is 'When it happened, else when it began, as the source says; null when the source gives no time.';
comment on column evidence.kind is 'What kind of statement it is; the names of docs/formats/README.md.';
comment on column evidence.source is 'Who sent it: the name of an ingest key.';
comment on column evidence.format is 'The format it was read from; one of docs/formats/.';
comment on column evidence.anomalous is 'Whether this claim alone is reason to look for an incident.';
comment on column evidence.origin is 'File and line, for evidence read from files.';
comment on column evidence.claim is 'The whole claim, in the JSON form of domain::Claim.';

create table links (
    stack text not null,
    from_key text not null,
    to_key text not null,
    at timestamptz not null,
    received_at timestamptz not null
) partition by range (received_at);

create index links_from_key on links using hash (from_key);
create index links_to_key on links using hash (to_key);

comment on table links is 'Claims that carried two keys join them. Partitioned like evidence, named links_YYYYMMDD_HH.';
comment on column links.stack is 'The stack within which both keys hold.';
comment on column links.from_key is 'The narrower key: the one the claim is stored under.';
comment on column links.to_key is 'The wider key: a trace, a worker, an instance.';
comment on column links.at is 'When the claim happened, as its source says, else when it reached us.';
comment on column links.received_at is 'When the claim reached us; decides the partition.';

create table incident_evidence (like evidence including comments);
create index incident_evidence_key on incident_evidence using hash (key);
comment on table incident_evidence is 'Evidence of incidents that outlived its partition: moved here when the partition was dropped.';

create table incident_links (like links including comments);
create index incident_links_from_key on incident_links using hash (from_key);
create index incident_links_to_key on incident_links using hash (to_key);
comment on table incident_links is 'Links of incidents that outlived their partition.';

create table batches (
    digest bytea primary key,
    received_at timestamptz not null
);

create index batches_received_at on batches (received_at);

comment on table batches is 'Every batch taken in, so that a repeated one is recognised. Forgotten together with its evidence.';
comment on column batches.digest is 'BLAKE3 of the body and of what it was read as.';
comment on column batches.received_at is 'When it reached us first.';

create table watched (
    key text not null,
    stack text not null,
    root text not null,
    hour timestamptz not null,
    at_min timestamptz not null,
    at_max timestamptz not null,
    seen_at timestamptz not null,
    primary key (key, stack, root, hour)
);

comment on table watched is 'Keys whose late evidence changes an incident: new evidence under one of them makes its root due for recomputation.';
comment on column watched.key is 'The key that is watched.';
comment on column watched.stack is 'The stack within which both keys hold.';
comment on column watched.root is 'The key to recompute.';
comment on column watched.hour is 'The hour in which the anomalies of this row happened, so that a long-lived worker is not watched for all its life.';
comment on column watched.at_min is 'The first anomaly of that hour.';
comment on column watched.at_max is 'The last anomaly of that hour.';
comment on column watched.seen_at is 'When the latest of them reached us; the row is forgotten with the evidence of that time.';

create table recomputes (
    id bigserial primary key,
    stack text not null,
    key text not null,
    due_at timestamptz not null
);

create index recomputes_due_at on recomputes (due_at, id);
create index recomputes_key on recomputes using hash (key);

comment on table recomputes is 'Groups of evidence to fold anew: because evidence came, or because a deadline will have passed.';
comment on column recomputes.id is 'In order of entry.';
comment on column recomputes.stack is 'The stack of the key.';
comment on column recomputes.key is 'The key from which the group is loaded.';
comment on column recomputes.due_at is 'Not before this moment.';

create table incidents (
    id text primary key,
    stack text not null,
    subject text not null,
    root text not null,
    problem text not null,
    request_id text,
    trace_id text,
    function text,
    platform text,
    instance text,
    outcome text not null,
    state text not null,
    layer text,
    product text,
    setting text,
    limit_ms double precision,
    cause text not null,
    operation text,
    summary text not null,
    at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    elapsed_ms double precision,
    first_seen_at timestamptz not null,
    changed_at timestamptz not null,
    incident json not null
);

create index incidents_at on incidents (at desc, id desc);
create index incidents_subject on incidents using hash (subject);
create index incidents_root on incidents using hash (root);
create index incidents_request_id on incidents using hash (request_id);
create index incidents_trace_id on incidents using hash (trace_id);
create index incidents_problem on incidents (problem, at desc);

comment on table incidents is 'Requests that overran, each a pure function of its evidence; rewritten when evidence comes late.';
comment on column incidents.id is 'Digest of stack, subject and attempt: the same on every replica.';
comment on column incidents.stack is 'The stack it belongs to.';
comment on column incidents.subject is 'The key it is about.';
comment on column incidents.root is 'The key from which its group was loaded when it was last written.';
comment on column incidents.problem is 'Fingerprint shared by incidents of the same function, layer, cause and operation.';
comment on column incidents.request_id is 'The request; null when no source gave an ID.';
comment on column incidents.trace_id is 'The trace it was part of.';
comment on column incidents.function is 'The function or service.';
comment on column incidents.platform is 'The platform or server that ran it.';
comment on column incidents.instance is 'Where it ran.';
comment on column incidents.outcome is 'timeout, init_timeout, out_of_memory, crash, dropped_at_shutdown, caller_left, near_miss or ok.';
comment on column incidents.state is 'suspected, confirmed, survived or lost.';
comment on column incidents.layer is 'The layer whose limit fired; null while unknown.';
comment on column incidents.product is 'The product of that layer.';
comment on column incidents.setting is 'The setting of the limit that fired, as its users write it.';
comment on column incidents.limit_ms is 'Its value in milliseconds.';
comment on column incidents.cause is 'One of docs/causes/, or unknown.';
comment on column incidents.operation is 'The operation that was in flight.';
comment on column incidents.summary is 'The verdict in one sentence.';
comment on column incidents.at is 'Its end, else its start, else when we first knew of it; what lists are ordered by.';
comment on column incidents.started_at is 'When the request began.';
comment on column incidents.ended_at is 'When it ended or was ended.';
comment on column incidents.elapsed_ms is 'How long it took, in milliseconds.';
comment on column incidents.first_seen_at is 'When we first wrote it.';
comment on column incidents.changed_at is 'When it last changed.';
comment on column incidents.incident is 'The whole incident, in the JSON form of `overrun explain --json`.';

create table incident_changes (
    id bigserial primary key,
    at timestamptz not null,
    kind text not null,
    previous_state text,
    incident_id text not null,
    incident json not null,
    routed_at timestamptz
);

create index incident_changes_unrouted on incident_changes (id) where routed_at is null;
create index incident_changes_at on incident_changes (at);

comment on table incident_changes is 'What changed about incidents, for the rules to look at; written in the transaction that changes the incident.';
comment on column incident_changes.id is 'In order of entry.';
comment on column incident_changes.at is 'When it changed.';
comment on column incident_changes.kind is 'opened, updated or state_changed.';
comment on column incident_changes.previous_state is 'The state before; null when opened.';
comment on column incident_changes.incident_id is 'The incident.';
comment on column incident_changes.incident is 'The incident as it was after this change.';
comment on column incident_changes.routed_at is 'When the rules had looked at it; null until then.';

create table deliveries (
    id text primary key,
    change_id bigint not null,
    incident_id text not null,
    rule text not null,
    action text not null,
    incident json not null,
    state text not null,
    attempts integer not null,
    due_at timestamptz not null,
    leased_until timestamptz,
    created_at timestamptz not null,
    last_error text
);

create index deliveries_due_at on deliveries (due_at) where state = 'pending';
create index deliveries_incident_id on deliveries using hash (incident_id);
create index deliveries_created_at on deliveries (created_at desc);

comment on table deliveries is 'One incident on its way to one action.';
comment on column deliveries.id is 'Digest of incident change, rule and action: the same on every replica.';
comment on column deliveries.change_id is 'The change that caused it.';
comment on column deliveries.incident_id is 'The incident it tells of.';
comment on column deliveries.rule is 'The rule that matched.';
comment on column deliveries.action is 'The action it goes to.';
comment on column deliveries.incident is 'The incident as it was at that change.';
comment on column deliveries.state is 'pending, delivered or parked (given up, kept for people).';
comment on column deliveries.attempts is 'Attempts begun so far.';
comment on column deliveries.due_at is 'The next attempt is not made before this moment.';
comment on column deliveries.leased_until is 'Until then it belongs to the process that claimed it; null when nobody has it.';
comment on column deliveries.created_at is 'When the rule matched.';
comment on column deliveries.last_error is 'What the last failed attempt said.';

create table attempts (
    delivery_id text not null,
    number integer not null,
    at timestamptz not null,
    took_ms double precision not null,
    outcome text not null,
    detail text not null,
    primary key (delivery_id, number)
);

comment on table attempts is 'Every try at a delivery that came to an end.';
comment on column attempts.delivery_id is 'The delivery.';
comment on column attempts.number is 'Counted from 1 per delivery.';
comment on column attempts.at is 'When it began.';
comment on column attempts.took_ms is 'How long it took, in milliseconds.';
comment on column attempts.outcome is 'delivered, retry or refused.';
comment on column attempts.detail is 'What the other side said.';

create table source_minutes (
    source text not null,
    stack text not null,
    format text not null,
    minute timestamptz not null,
    writer integer not null,
    batches bigint not null,
    evidence bigint not null,
    ignored bigint not null,
    rejected bigint not null,
    body_bytes bigint not null,
    last_at timestamptz not null,
    primary key (source, stack, format, minute, writer)
);

create index source_minutes_minute on source_minutes (minute);

comment on table source_minutes is 'The fate of every item received, counted per source, format and minute.';
comment on column source_minutes.source is 'Who sent it.';
comment on column source_minutes.stack is 'The stack of the source.';
comment on column source_minutes.format is 'What it was sent as.';
comment on column source_minutes.minute is 'The minute of arrival.';
comment on column source_minutes.writer is 'The database process that counted; one row each, so that writers never wait for each other. Sum over it.';
comment on column source_minutes.batches is 'Batches received.';
comment on column source_minutes.evidence is 'Items kept as evidence.';
comment on column source_minutes.ignored is 'Well-formed items that say nothing about a request.';
comment on column source_minutes.rejected is 'Items that could not be read.';
comment on column source_minutes.body_bytes is 'Bytes received, after decompression.';
comment on column source_minutes.last_at is 'The latest arrival in that minute.';

create table rejects (
    id bigserial primary key,
    source text not null,
    stack text not null,
    format text not null,
    at timestamptz not null,
    line bigint not null,
    reason text not null,
    text text not null
);

create index rejects_source on rejects (source, stack, id desc);

comment on table rejects is 'The latest items of each source that could not be read, for people to look at.';
comment on column rejects.id is 'In order of entry.';
comment on column rejects.source is 'Who sent it.';
comment on column rejects.stack is 'The stack of the source.';
comment on column rejects.format is 'What it was read as.';
comment on column rejects.at is 'When it arrived.';
comment on column rejects.line is 'Its line in the body, from 1.';
comment on column rejects.reason is 'What was expected there, and what was found.';
comment on column rejects.text is 'The item itself, cut at a limit.';

create view evidence_v1 as
select stack, key, received_at, observed_at, kind, source, format, anomalous, origin, claim from evidence
union all
select stack, key, received_at, observed_at, kind, source, format, anomalous, origin, claim from incident_evidence;

comment on view evidence_v1 is 'All evidence, also that which outlived its partition with its incident. For people and their tools; its columns stay.';

create view links_v1 as
select stack, from_key, to_key, at, received_at from links
union all
select stack, from_key, to_key, at, received_at from incident_links;

comment on view links_v1 is 'All links, also those that outlived their partition. For people and their tools; its columns stay.';

create view incidents_v1 as
select
    id,
    stack,
    problem,
    request_id,
    trace_id,
    function,
    platform,
    instance,
    outcome,
    state,
    layer,
    product,
    setting,
    limit_ms,
    cause,
    operation,
    summary,
    at,
    started_at,
    ended_at,
    elapsed_ms,
    first_seen_at,
    changed_at,
    incident
from incidents;

comment on view incidents_v1 is 'Incidents for people and their tools, such as Grafana''s Postgres data source; its columns stay.';
