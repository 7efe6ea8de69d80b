'use strict';
// The same cases with AWS's own runtime client in place of the stand-in. Not part of CI: it is built from C++ on installation
// (1.5 to 3 minutes; on Debian: apt-get install cmake autoconf automake libtool g++ make).
//
//     npm run ric                      3 runs of each case with aws-lambda-ric 3.3.0
//     npm run ric -- 20                20 runs
//     RIC=/path/to/aws-lambda-ric npm run ric     one that is installed already: 4.0.2, which wants Node.js 22, with 24 in November 2026

const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { run } = require('./catch.js');
const { CASES } = require('./support/cases.js');
const { Collector } = require('./support/collector.js');
const { stuck } = require('./support/stuck.js');

const VERSION = '3.3.0';

/** @returns {string} where it is installed */
function installed() {
  if (process.env.RIC) return process.env.RIC;
  const folder = path.join(tmpdir(), `overrun-ric-${VERSION}`);
  const ric = path.join(folder, 'node_modules', 'aws-lambda-ric');
  if (!existsSync(path.join(ric, 'dist', 'rapid-client.node'))) {
    // npm 11 and newer run the installation scripts of those packages only that the project names.
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { 'aws-lambda-ric': true } }));
    execFileSync('npm', ['install', '--no-audit', '--no-fund', `aws-lambda-ric@${VERSION}`], { cwd: folder, stdio: 'inherit' });
  }
  return ric;
}

async function main() {
  const ric = installed();
  const { bin } = JSON.parse(readFileSync(path.join(ric, 'package.json'), 'utf8'));
  const runtime = [process.execPath, path.join(ric, bin['aws-lambda-ric']), 'function.handler'];
  const [runs = '3'] = process.argv.slice(2);
  const around = { collector: await Collector.start(), stuck: await stuck(), runtime };
  for (const one of CASES) {
    const lacks = [];
    for (let count = 0; count < Number(runs); count += 1) lacks.push(...(await run(one, around)).lacks);
    console.log(`${one.way.padEnd(16)} ${lacks.length === 0 ? 'caught' : lacks.join('; ')}`);
    if (lacks.length > 0) process.exitCode = 1;
  }
  around.collector.stop();
  around.stuck.stop();
}

main();
