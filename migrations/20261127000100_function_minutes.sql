-- How long the requests of each function take. A healthy request is never a row of its own: it is one more in a bucket of
-- its minute.
--
-- Bucket 1 holds what took less than 0.1 ms; bucket n + 1 begins at 0.1 ms · 2^((n - 1) / 8), so that eight of them are a
-- doubling: at 0.1, 0.109, 0.119, … ms. There are 240.

create function add_counts(a integer[], b integer[]) returns integer[]
    language sql immutable parallel safe
    return array(
        select least(coalesce(x, 0)::bigint + coalesce(y, 0), 2147483647)::integer
        from unnest(a, b) with ordinality as pairs (x, y, place)
        order by place
    );

comment on function add_counts is 'Merges two histograms by adding them bucket by bucket.';

create aggregate sum_counts(integer[]) (
    sfunc = add_counts,
    stype = integer[],
    initcond = '{}',
    parallel = safe
);

comment on aggregate sum_counts(integer[]) is 'Merges histograms.';

create table function_minutes (
    stack text not null,
    function text not null,
    release text not null,
    format text not null,
    minute timestamptz not null,
    writer integer not null,
    runs integer[] not null,
    inits integer[] not null,
    sample_cold text,
    sample_warm text,
    primary key (stack, function, minute, release, format, writer)
);

create index function_minutes_minute on function_minutes (minute);

comment on table function_minutes is 'Requests that finished by themselves, per function, release, format and minute; after some days per hour.';
comment on column function_minutes.stack is 'The stack of the source.';
comment on column function_minutes.function is 'The function or service.';
comment on column function_minutes.release is 'The release of the user''s code, else the version of the function; empty when no source gave either.';
comment on column function_minutes.format is 'The format that told of them. Two formats may tell of the same requests: never add them up.';
comment on column function_minutes.minute is 'The minute in which they ended, as their source says; older ones are the hour.';
comment on column function_minutes.writer is 'The database process that counted; one row each, so that writers never wait for each other. Sum over it.';
comment on column function_minutes.runs is 'How many took how long, by bucket.';
comment on column function_minutes.inits is 'How many initialised before for how long, by bucket: as many as were cold starts.';
comment on column function_minutes.sample_cold is 'The key of one of those that began with an initialisation.';
comment on column function_minutes.sample_warm is 'The key of one of the others.';

create view function_minutes_v1 as
select stack, function, nullif(release, '') as release, format, minute, writer, runs, inits from function_minutes;

comment on view function_minutes_v1 is 'Durations of requests for people and their tools; its columns stay.';
