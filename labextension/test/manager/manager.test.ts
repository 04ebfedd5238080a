import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { RequestError } from '../../src/request';
import type { IJobEvent } from '../../src/records';
import type { IJobChange, IJobEvents } from '../../src/tokens';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

let server: FakeServer;
let told: IJobChange[];

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  told = [];
  server.manager.jobChanged.connect((_, change) => told.push(change));
});

afterEach(() => {
  server.manager.dispose();
  vi.useRealTimers();
});

function ids(list: { jobs: readonly { id: string }[] }): string {
  return list.jobs.map(one => one.id).join('');
}

function event(seq: number): IJobEvent {
  return { seq, time: 0, kind: 'note', text: `event ${seq}` };
}

describe('a list of jobs', () => {
  it('grows by pages, and by news', async () => {
    'abcde'.split('').forEach(id => server.put(job(id)));
    const list = server.manager.list({}, 2);
    expect(list.loading).toBe(true);
    await settle();
    expect([ids(list), list.total, list.complete]).toEqual(['ed', 5, false]);
    server.put(job('f'));
    server.announce('f', 'new');
    await settle();
    expect([ids(list), list.total]).toEqual(['fed', 6]);
    list.need(0, 6);
    await settle();
    expect([ids(list), list.complete]).toEqual(['fedcba', true]);
    expect(told.map(change => change.change)).toEqual(['new']);
  });

  it('follows states into and out of its filter', async () => {
    server.put(job('a'));
    server.put(job('b', { state: 'FAILED' }));
    const running = server.manager.list({ states: ['RUNNING'] });
    const failed = server.manager.list({ states: ['FAILED'] });
    await settle();
    server.put(job('a', { state: 'FAILED', revision: 2 }));
    server.announce('a', 'changed');
    await settle();
    expect([ids(running), ids(failed)]).toEqual(['', 'ba']);
    expect([running.total, failed.total]).toEqual([0, 2]);
    server.jobs.delete('b');
    server.announce('b', 'deleted');
    await settle();
    expect([ids(failed), failed.counts.FAILED]).toEqual(['a', 1]);
  });

  it('tells nothing where nothing is new', async () => {
    server.put(job('a'));
    const list = server.manager.list();
    await settle();
    const changed = vi.fn();
    list.changed.connect(changed);
    server.announce('a', 'changed');
    await settle();
    expect(changed).not.toHaveBeenCalled();
    expect(told).toEqual([]);
    expect(server.asked).toEqual(['jobs']);
  });

  it('keeps what it has while the server is away, and mends itself after', async () => {
    server.put(job('a'));
    server.manager.start();
    const list = server.manager.list();
    await settle();
    server.away = true;
    await list.refresh();
    expect([ids(list), list.error?.message]).toEqual(['a', 'Failed to fetch']);
    expect(server.manager.connection).toBe('offline');
    server.away = false;
    server.put(job('b'));
    await vi.advanceTimersByTimeAsync(3000);
    expect(server.manager.connection).toBe('online');
    expect([ids(list), list.error]).toEqual(['ba', null]);
  });
});

describe('without announcements', () => {
  it('new, changed and ended jobs are found by looking', async () => {
    server.put(job('a'));
    server.put(job('b'));
    server.manager.start();
    const list = server.manager.list();
    await settle();
    expect(told).toEqual([]);
    server.put(job('c'));
    server.put(job('a', { state: 'COMPLETED', revision: 2 }));
    server.jobs.delete('b');
    await vi.advanceTimersByTimeAsync(31_000);
    expect(ids(list)).toBe('ca');
    const said = told.map(({ id, change }) => `${id} ${change}`).sort();
    expect(said).toEqual(['a changed', 'b deleted', 'c new']);
    const before = server.asked.length;
    await vi.advanceTimersByTimeAsync(4000);
    expect(server.asked.length).toBeGreaterThan(before);
  });

  it('a server without our part is left alone', async () => {
    const nobody = new RequestError('Not Found', 404);
    const other = new FakeServer();
    other.manager.dispose();
    server.manager.dispose();
    let answered: (error: RequestError | null) => void = () => undefined;
    const { JobsManager } = await import('../../src/manager');
    const about = vi.fn(() => {
      answered(nobody);
      return Promise.reject(nobody);
    });
    const manager = new JobsManager({
      settings: {} as never,
      events: { stream: server.bus } as never,
      api: tell => {
        answered = tell;
        return { about } as never;
      }
    });
    manager.start();
    expect(await manager.ready).toBe(false);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(manager.connection).toBe('missing');
    expect(about).toHaveBeenCalledTimes(1);
    manager.dispose();
  });
});

describe('what is asked for', () => {
  it('is told to others at once', async () => {
    server.put(job('a'));
    const list = server.manager.list();
    await settle();
    await server.manager.cancel('a');
    expect(list.jobs[0].wanted).toBe('CANCELLED');
    await server.manager.delete('a');
    expect([list.jobs.length, list.total]).toEqual([0, 0]);
    await expect(server.manager.job('a')).rejects.toThrow('there is no job a');
  });

  it('does not come back by an answer from before it was deleted', async () => {
    server.put(job('a'));
    const list = server.manager.list();
    await settle();
    server.put(job('a', { state: 'COMPLETED', revision: 2 }));
    // read while the delete is under way, and told after it
    server.announce('a', 'changed');
    server.announce('a', 'deleted');
    server.jobs.delete('a');
    await settle();
    expect([list.jobs, server.manager.known('a')]).toEqual([[], undefined]);
  });
});

describe("a job's events", () => {
  function listen(events: IJobEvents): number[] {
    const seen: number[] = [];
    events.arrived.connect((_, some) => seen.push(...some.map(e => e.seq)));
    return seen;
  }

  it('come live, each once, from where somebody was', async () => {
    server.put(job('a'));
    server.events.set('a', [1, 2, 3].map(event));
    const events = server.manager.events('a', 1);
    const seen = listen(events);
    await settle();
    expect(seen).toEqual([2, 3]);
    server.events.get('a')?.push(event(4), event(5));
    server.progress('a', 5);
    server.progress('a', 5);
    await settle();
    expect(seen).toEqual([2, 3, 4, 5]);
    const asked = server.asked.length;
    server.progress('a', 5);
    await settle();
    expect(server.asked.length).toBe(asked);
  });

  it('go on after an absence, until the job ends', async () => {
    server.put(job('a'));
    const events = server.manager.events('a');
    const seen = listen(events);
    await settle();
    server.away = true;
    server.progress('a', 1);
    await settle();
    expect(events.error?.message).toBe('Failed to fetch');
    server.events.set('a', [1, 2].map(event));
    server.put(job('a', { state: 'COMPLETED', revision: 2 }));
    server.away = false;
    await vi.advanceTimersByTimeAsync(2000);
    expect([seen, events.ended, events.error]).toEqual([[1, 2], true, null]);
    const asked = server.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(
      server.asked.filter(words => words.startsWith('events')).length
    ).toBe(
      server.asked.slice(0, asked).filter(words => words.startsWith('events'))
        .length
    );
  });
});
