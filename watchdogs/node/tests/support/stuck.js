'use strict';
// What calls get stuck at: a server that never answers, one that never accepts, a name server that is mute.

const { spawn } = require('node:child_process');
const dgram = require('node:dgram');
const net = require('node:net');

/** Listens, and never comes back to its event loop to accept: connections beyond the two of its queue hang. */
const DEAF = `const server = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('fs').writeSync(1, server.address().port + '\\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

/** @returns {Promise<{ url: string, port: number, deafPort: number, server: string, stop(): void }>} */
async function stuck() {
  const mute = net.createServer(() => {}).listen(0, '127.0.0.1');
  const names = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all([new Promise((r) => mute.once('listening', r)), new Promise((r) => names.once('listening', r))]);
  const deaf = spawn(process.execPath, ['-e', DEAF], { stdio: ['ignore', 'pipe', 'inherit'] });
  const deafPort = Number(await new Promise((resolve) => deaf.stdout.once('data', resolve)));
  const QUEUE = 8;
  const filling = Array.from({ length: QUEUE }, () => net.connect(deafPort, '127.0.0.1').on('error', () => {}));
  const { port } = /** @type {import('node:net').AddressInfo} */ (mute.address());
  return {
    url: `http://127.0.0.1:${port}/charge`,
    port,
    deafPort,
    server: `127.0.0.1:${names.address().port}`,
    stop() {
      filling.forEach((socket) => socket.destroy());
      deaf.kill('SIGKILL');
      mute.close();
      names.close();
    },
  };
}

module.exports = { stuck };
