import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { JobList } from '../../src/manager/list';
import type { IJob } from '../../src/records';
import { RequestError } from '../../src/request';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

const MANY = 10_000;
let server: FakeServer;
let list: JobList;

function id(number: number): string {
  return String(number).padStart(6, '0');
}

/** The numbers of the jobs from this row on. */
function numbers(first: number, last: number): number[] {
  return list.rows.slice(first, last).map(one => Number(one?.id ?? NaN));
}

beforeEach(async () => {
  vi.useFakeTimers();
  server = new FakeServer();
  for (let number = 0; number < MANY; number++) {
    const state = number % 2 ? 'COMPLETED' : 'FAILED';
    server.put(job(id(number), { state }));
  }
  list = server.manager.list();
  await settle();
});

afterEach(() => {
  server.manager.dispose();
  vi.useRealTimers();
});

it('reads of a long list what somebody looks at', async () => {
  list.need(MANY - 24, MANY);
  await settle();
  expect(numbers(MANY - 3, MANY)).toEqual([2, 1, 0]);
  expect([list.total, list.complete]).toEqual([MANY, false]);
  expect(server.asked).toEqual(['jobs', 'jobs']);
  list.need(MANY - 24, MANY);
  list.need(0, 40);
  await settle();
  expect(server.asked.length).toBe(2);
  // on two pages
  list.need(4990, 5010);
  await settle();
  expect(numbers(4990, 4992)).toEqual([5009, 5008]);
  expect(numbers(5008, 5010)).toEqual([4991, 4990]);
  expect(server.asked.length).toBe(4);
});

it('reads only the last of many places that it was moved to', async () => {
  for (let first = 0; first < MANY - 20; first += 500) {
    list.need(first, first + 20);
  }
  list.need(7000, 7020);
  const answered = vi.fn();
  list.changed.connect(answered);
  await settle();
  expect(numbers(7000, 7002)).toEqual([2999, 2998]);
  expect(answered).toHaveBeenCalledTimes(1);
});

it('keeps its rows true, also behind what it has not read', async () => {
  list.need(MANY - 10, MANY);
  await settle();
  const last = (): number[] => numbers(list.total - 2, list.total);
  server.put(job(id(MANY)));
  server.announce(id(MANY), 'new');
  await settle();
  expect([list.total, ...numbers(0, 2)]).toEqual([MANY + 1, MANY, MANY - 1]);
  expect(last()).toEqual([1, 0]);
  // one in the middle, that nobody has seen
  const middle = server.jobs.get(id(5000)) as IJob;
  server.jobs.delete(middle.id);
  server.announce(middle.id, 'deleted');
  await vi.advanceTimersByTimeAsync(1000);
  list.need(list.total - 10, list.total);
  await settle();
  expect(list.total).toBe(MANY);
  expect(last()).toEqual([1, 0]);
  // one of those in sight
  server.jobs.delete(id(1));
  server.announce(id(1), 'deleted');
  await settle();
  expect([list.total, ...last()]).toEqual([MANY - 1, 2, 0]);
});

it('follows jobs into and out of a filter that was read in parts', async () => {
  list.setFilter({ states: ['FAILED'] });
  await settle();
  list.need(4990, 5000);
  await settle();
  expect(numbers(4998, 5000)).toEqual([2, 0]);
  const again = { state: 'FAILED', revision: 2 } as const;
  server.put(job(id(1), again));
  server.put(job(id(MANY - 1), again));
  server.announce(id(1), 'changed');
  server.announce(id(MANY - 1), 'changed');
  await vi.advanceTimersByTimeAsync(1000);
  list.need(4990, 5002);
  await settle();
  expect(numbers(0, 2)).toEqual([MANY - 1, MANY - 2]);
  expect(numbers(4999, 5002)).toEqual([2, 1, 0]);
  expect(list.total).toBe(5002);
});

it('reads again what is in sight, and the rest when it is', async () => {
  list.need(7000, 7020);
  await settle();
  const asked = server.asked.length;
  server.jobs.delete(id(2999));
  await list.refresh();
  expect(server.asked.length).toBe(asked + 1);
  expect(numbers(7000, 7002)).toEqual([2998, 2997]);
  list.need(0, 20);
  await settle();
  expect(numbers(0, 2)).toEqual([MANY - 1, MANY - 2]);
});

it('finds names whatever their case and width', async () => {
  const names = {
    a: 'Straße ΟΔΟΣ',
    b: 'ｆｕｌｌ ＷＩＤＴＨ',
    c: 'École Привет'
  };
  for (const [key, name] of Object.entries(names)) {
    server.put(job(`z${key}`, { name }));
  }
  const found = async (text: string): Promise<string[]> => {
    list.setFilter({ text });
    await settle();
    return list.jobs.map(one => one.id);
  };
  expect(await found('STRASSE οδος')).toEqual(['za']);
  expect(await found('full width')).toEqual(['zb']);
  expect(await found('e\u0301cole ПРИВЕТ')).toEqual(['zc']);
  expect(await found('ecole')).toEqual([]);
});

it('reads a page that failed once more, after longer and longer pauses', async () => {
  const busy = new RequestError('the store is busy', 503, 'StoreError');
  const real = server.manager.api.jobs.bind(server.manager.api);
  let failed = 0;
  server.manager.api.jobs = () => {
    failed += 1;
    return Promise.reject(busy);
  };
  list.need(500, 520);
  await settle();
  expect([list.error, failed]).toEqual([busy, 1]);
  // who scrolls meanwhile asks for nothing at once
  list.need(700, 720);
  await settle();
  expect(failed).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(failed).toBe(4);
  server.manager.api.jobs = real;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(list.error).toBeNull();
  expect(numbers(700, 702)).toEqual([MANY - 701, MANY - 702]);
});

it('reads a page that failed when somebody wants it', async () => {
  const real = server.manager.api.jobs.bind(server.manager.api);
  server.manager.api.jobs = () =>
    Promise.reject(new RequestError('no', 500, 'Error'));
  list.need(500, 520);
  await settle();
  server.manager.api.jobs = real;
  await list.refresh();
  expect(list.error).toBeNull();
  expect(numbers(500, 501)).toEqual([MANY - 501]);
  const asked = server.asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.asked).toHaveLength(asked);
});
