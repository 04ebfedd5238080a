import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Readings } from '../../src/manager/readings';
import type { IJob } from '../../src/records';
import { RequestError } from '../../src/request';
import { job } from '../jobs';
import { settle } from '../server';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A server that answers when it is told to. */
class Slow {
  readonly readings = new Readings({
    read: id =>
      new Promise((resolve, reject) => {
        this.asked.push({
          id,
          answer: revision => resolve(job(id, { revision })),
          refuse: status => reject(new RequestError('no', status))
        });
      }),
    took: (one, fresh) => this.took.push([one.id, one.revision, fresh]),
    gone: id => this.gone.push(id)
  });
  readonly asked: {
    id: string;
    answer: (revision: IJob['revision']) => void;
    refuse: (status: number) => void;
  }[] = [];
  readonly took: [string, number, boolean][] = [];
  readonly gone: string[] = [];
}

it('reads few at a time, and all in the end', async () => {
  const server = new Slow();
  const ids = Array.from({ length: 1000 }, (_, index) => `job ${index}`);
  ids.forEach(id => server.readings.ask(id, true));
  let most = 0;
  for (let done = 0; done < ids.length; done++) {
    most = Math.max(most, server.asked.length - done);
    server.asked[done]?.answer(1);
    await settle();
  }
  expect(server.took.map(([id]) => id)).toEqual(ids);
  expect(most).toBe(4);
});

it('reads a job once for all news that came while it waited', async () => {
  const server = new Slow();
  'abcd'.split('').forEach(id => server.readings.ask(id, false));
  server.readings.ask('e', true);
  server.readings.ask('e', false);
  expect(server.asked).toHaveLength(4);
  server.asked[0]?.answer(1);
  await settle();
  server.asked[4]?.answer(7);
  await settle();
  // that it is new was in the news that came first
  expect(server.took).toEqual([
    ['a', 1, false],
    ['e', 7, true]
  ]);
});

it('reads once more what there was news of while it was read', async () => {
  const server = new Slow();
  server.readings.ask('a', true);
  server.readings.ask('a', false);
  server.readings.ask('a', false);
  expect(server.asked).toHaveLength(1);
  server.asked[0]?.answer(1);
  await settle();
  server.asked[1]?.answer(2);
  await settle();
  expect(server.asked).toHaveLength(2);
  expect(server.took).toEqual([
    ['a', 1, true],
    ['a', 2, false]
  ]);
});

it('does not take in what was dropped, and tells what is gone', async () => {
  const server = new Slow();
  'abcde'.split('').forEach(id => server.readings.ask(id, false));
  server.readings.drop('a');
  server.readings.drop('e');
  server.asked[0]?.answer(1);
  server.asked[1]?.refuse(404);
  server.asked[2]?.refuse(503);
  server.asked[3]?.answer(1);
  await settle();
  expect(server.asked).toHaveLength(4);
  expect([server.took, server.gone]).toEqual([[['d', 1, false]], ['b']]);
  // none of them holds a place for ever
  'fghi'.split('').forEach(id => server.readings.ask(id, false));
  expect(server.asked).toHaveLength(8);
});
