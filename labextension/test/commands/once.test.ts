import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Once, Reruns } from '../../src/commands/once';
import { RequestError } from '../../src/request';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('once', () => {
  it('does nothing of what is under way', async () => {
    const once = new Once();
    const done: string[] = [];
    let end: () => void = () => undefined;
    const slow = (): Promise<void> => {
      done.push('begun');
      return new Promise(resolve => {
        end = resolve;
      });
    };
    void once.run('a', slow);
    await vi.advanceTimersByTimeAsync(60_000);
    await once.run('a', slow);
    void once.run('b', slow);
    expect(done).toHaveLength(2);
    end();
    await vi.advanceTimersByTimeAsync(600);
    void once.run('b', slow);
    expect(done).toHaveLength(3);
  });

  it('takes a double click for one, also where the first is over soon', async () => {
    const once = new Once();
    let times = 0;
    const quick = (): Promise<void> => {
      times += 1;
      return Promise.resolve();
    };
    await once.run('a', quick);
    await vi.advanceTimersByTimeAsync(200);
    await once.run('a', quick);
    expect(times).toBe(1);
    await vi.advanceTimersByTimeAsync(400);
    await once.run('a', quick);
    expect(times).toBe(2);
  });

  it('can be tried again after a failure', async () => {
    const once = new Once();
    const fail = (): Promise<void> => Promise.reject(new Error('no'));
    await expect(once.run('a', fail)).rejects.toThrow('no');
    await vi.advanceTimersByTimeAsync(600);
    await expect(once.run('a', fail)).rejects.toThrow('no');
  });
});

describe('reruns', () => {
  const keys: string[] = [];
  let answer: () => Promise<ReturnType<typeof job>>;
  let server: FakeServer;
  let reruns: Reruns;

  beforeEach(() => {
    keys.length = 0;
    server = new FakeServer({
      rerun: (_id, _changes, key) => {
        keys.push(key);
        return answer();
      }
    });
    reruns = new Reruns(server.manager);
  });

  it('are the same submit until there is an answer', async () => {
    answer = () => Promise.reject(new RequestError('silence', 0));
    await expect(reruns.run('a')).rejects.toThrow('silence');
    await expect(reruns.run('b')).rejects.toThrow('silence');
    answer = () => Promise.resolve(job('a2'));
    await reruns.run('a');
    expect(keys[2]).toBe(keys[0]);
    expect(keys[1]).not.toBe(keys[0]);
    await reruns.run('a');
    expect(keys[3]).not.toBe(keys[0]);
  });

  it('are another one after a refusal, and after a job that came late', async () => {
    answer = () => Promise.reject(new RequestError('no', 400, 'SpecError'));
    await expect(reruns.run('a')).rejects.toThrow('no');
    answer = () => Promise.reject(new RequestError('silence', 0));
    await expect(reruns.run('a')).rejects.toThrow('silence');
    expect(keys[1]).not.toBe(keys[0]);
    server.put(job('a2', { submit_key: keys[1] }));
    server.announce('a2', 'new');
    await settle();
    await expect(reruns.run('a')).rejects.toThrow('silence');
    expect(keys[2]).not.toBe(keys[1]);
  });
});
