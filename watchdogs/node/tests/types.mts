// Compiled, never run: what people write must be accepted, and what is wrong must not.

import watchdog, { express, fastify, lambda, section, watch } from '../index.mjs';

interface Order {
  id: string;
}

export const handler = lambda(async (event: Order) => ({ order: event.id }), { marginMs: 300 });
const answer: Promise<{ order: string }> = handler({ id: '7' });

const charge = watch(async (order: Order, cents: number) => cents, { limitMs: 5000, requestId: (order) => order.id });
const cents: Promise<number> = charge({ id: '7' }, 100);

const sum: number = section('sum', () => 1 + 1);
const later: Promise<string> = section('load', async () => 'done');

// @ts-expect-error a server has no deadline of its own
express({ marginMs: 300 });
// @ts-expect-error
lambda('handler');

export { answer, cents, fastify, later, sum, watchdog };
