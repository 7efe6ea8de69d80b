'use strict';
// Runs every way to run out of time many times, each in a process that is killed at the deadline, and says how many were caught.
//
//     npm run catch                    200 runs of each
//     npm run catch -- 20 cpu regex    20 runs of these
//     AT_A_TIME=6 npm run catch        six processes at a time

const path = require('node:path');
const { CASES, FUNCTION, missing } = require('./support/cases.js');
const { Collector } = require('./support/collector.js');
const { RuntimeApi } = require('./support/runtime-api.js');
const { stuck } = require('./support/stuck.js');

const RUNTIME = [process.execPath, path.join(__dirname, 'support', 'runtime-loop.js'), FUNCTION];
/** Limit and margin of the measurement. */
const MEASURED = { limitMs: 1200, marginMs: 500 };
/** Those of tests, which may run on a machine with more to do than it can. */
const TESTED = { limitMs: 4000, marginMs: 1700 };
const RUNS = 200;
/** As many processes at a time: those that wait cost little, those that compute need a processor each. */
const AT_A_TIME = Number(process.env.AT_A_TIME) || 2;

/**
 * One run of one case.
 *
 * @param {import('./support/cases.js').Case} one
 * @param {{ collector: Collector, stuck: import('./support/cases.js').Stuck, runtime?: string[], times?: typeof TESTED }} around
 */
async function run(one, { collector, stuck, runtime = RUNTIME, times = MEASURED }) {
  const api = await RuntimeApi.start(runtime, { OVERRUN_ENDPOINT: collector.url, OVERRUN_MARGIN_MS: String(times.marginMs) });
  try {
    // A first request, as long as a cold start takes on a busy machine: what is measured is the alarm, not the start.
    await api.invoke({ way: 'brief', ms: 500 }, 10_000);
    const ended = await api.invoke({ way: one.way, ...one.event?.(stuck) }, times.limitMs);
    const events = collector.of(ended.requestId);
    const lacks = ended.outcome === 'killed' ? missing(one, events, ended.at) : [`${ended.outcome}: ${ended.body}`];
    const first = events.find((event) => event.kind === 'fired');
    return { lacks, leftMs: first && ended.at - first.arrived_at, events, errors: api.errors };
  } finally {
    await api.stop();
  }
}

/** @param {string[]} args */
async function main([runs = String(RUNS), ...ways]) {
  const around = { collector: await Collector.start(), stuck: await stuck() };
  let failures = 0;
  for (const one of CASES.filter(({ way }) => ways.length === 0 || ways.includes(way))) {
    /** @type {Awaited<ReturnType<typeof run>>[]} */
    const results = [];
    let begun = 0;
    const lane = async () => {
      for (; begun < Number(runs); ) {
        begun += 1;
        results.push(await run(one, around));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    around.collector.events.length = 0;
    const bad = results.filter(({ lacks }) => lacks.length > 0);
    failures += bad.length;
    const left = results.map(({ leftMs }) => leftMs ?? 0).sort((a, b) => a - b);
    const reasons = [...new Set(bad.flatMap(({ lacks }) => lacks))].join('; ');
    console.log(`${one.way.padEnd(16)} ${results.length - bad.length}/${results.length} caught, least ms before the kill: ${left[0]}${reasons && ` (${reasons})`}`);
  }
  around.collector.stop();
  around.stuck.stop();
  process.exitCode = failures === 0 ? 0 : 1;
}

if (require.main === module) main(process.argv.slice(2));

module.exports = { run, RUNTIME, TESTED };
