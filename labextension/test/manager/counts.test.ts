import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { UNFINISHED } from '../../src/records';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('counts once more where news overtakes a count', async () => {
  const server = new FakeServer();
  server.put(job('a', { state: 'PENDING' }));
  const list = server.manager.list({ states: UNFINISHED });
  await settle();

  const { api } = server.manager;
  const ask = api.jobs.bind(api);
  let release = (): void => undefined;
  api.jobs = async (...question) => {
    const answer = await ask(...question);
    await new Promise<void>(resolve => {
      release = resolve;
    });
    return answer;
  };
  // a job that was never seen here may have been counted or not
  server.put(job('z', { state: 'COMPLETED' }));
  server.announce('z', 'changed');
  await vi.advanceTimersByTimeAsync(600);
  server.put(job('a', { state: 'RUNNING', revision: 2 }));
  server.announce('a', 'changed');
  await settle();
  api.jobs = ask;
  release();
  await vi.advanceTimersByTimeAsync(600);
  expect(list.counts.PENDING ?? 0).toBe(0);
  expect(list.counts.RUNNING).toBe(1);
  server.manager.dispose();
});
