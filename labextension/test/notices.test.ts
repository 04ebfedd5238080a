import { nullTranslator } from '@jupyterlab/translation';
import { beforeEach, describe, expect, it } from 'vitest';

import { Notices } from '../src/notices/notices';
import { Waiting } from '../src/notices/waiting';
import type { IJob } from '../src/records';
import type { IJobChange } from '../src/tokens';
import { job } from './jobs';

const trans = nullTranslator.load('jupyter_hybrid');

function change(before: IJob | null, after: IJob | null): IJobChange {
  return { id: '1', change: 'changed', before, job: after };
}

describe('notices', () => {
  const done = job('1', { name: 'train', state: 'COMPLETED', seconds: 200 });
  let notices: Notices;
  const text = (before: IJob | null, after: IJob | null): string | undefined =>
    notices.ofChange(change(before, after))?.text;

  beforeEach(() => {
    notices = new Notices(trans, () => 1000);
  });

  it('tell the end, once', () => {
    expect(text(job('1'), done)).toBe('train is done after 3 min 20 s');
    expect(text(done, { ...done, revision: 2 })).toBeUndefined();
  });

  it('tell what went wrong, in one line', () => {
    const exit = {
      ...{ state: 'FAILED', cause: 'cell-error', message: '', cell_id: null },
      ...{ ename: 'ValueError', evalue: 'no file\nat all', traceback: [] }
    };
    const failed = job('1', { name: 'train', state: 'FAILED', exit });
    expect(text(job('1'), failed)).toBe('train failed: ValueError: no file');
  });

  it('do not tell what somebody wanted, nor what was long ago', () => {
    expect(text(job('1'), job('1', { state: 'CANCELLED' }))).toBeUndefined();
    expect(text(job('1'), null)).toBeUndefined();
    expect(text(null, { ...done, finished_at: 900 })).toBeUndefined();
    expect(text(null, { ...done, finished_at: 1100 })).toBeDefined();
  });

  it('leave quick cells to their cells', () => {
    const cell = { ...done, kind: 'cell' as const };
    expect(text(job('1'), { ...cell, seconds: 5 })).toBeUndefined();
    expect(text(job('1'), cell)).toBeDefined();
  });
});

describe('jobs that wait', () => {
  /** What the browser's tab remembers. */
  let kept: string | null;
  let waiting: Waiting;
  const memory = {
    fetch: () => Promise.resolve(kept),
    save: (_: string, value: string) => {
      kept = value;
      return Promise.resolve();
    }
  };
  const pending = (id: string, changes: Partial<IJob> = {}): IJob =>
    job(id, {
      state: 'PENDING',
      name: `train ${id}`,
      created_at: 0,
      ...changes
    });

  beforeEach(() => {
    kept = null;
    waiting = new Waiting(trans, memory);
  });

  async function told(jobs: readonly IJob[], now: number): Promise<string[]> {
    const notices = await waiting.look(jobs, 600, now);
    return notices.map(({ text }) => text);
  }

  it('are told of, each once, also after a reload', async () => {
    const jobs = [pending('1', { reason: 'no GPU is free' }), job('2')];
    expect(await told(jobs, 500)).toEqual([]);
    expect(await told(jobs, 600)).toEqual([
      'train 1 has waited for 10 min 00 s: no GPU is free'
    ]);
    expect(await told(jobs, 700)).toEqual([]);
    waiting = new Waiting(trans, memory);
    jobs.push(pending('3'));
    expect(await told(jobs, 700)).toEqual([
      'train 3 has waited for 11 min 40 s'
    ]);
    kept = 'in another form';
    waiting = new Waiting(trans, memory);
    expect(await told(jobs, 700)).toHaveLength(2);
  });

  it('are told of as one where they are many', async () => {
    const many = [...Array(60).keys()].map(at =>
      pending(`${at}`, { target: 'dgx', created_at: at })
    );
    const jobs = [...many, pending('x')];
    const notices = await waiting.look(jobs, 600, 1000);
    expect(notices.map(({ text, several }) => [text, several])).toEqual([
      ['60 jobs on dgx have waited for 15 min 41 s', true],
      ['train x has waited for 16 min 40 s', undefined]
    ]);
    expect(await told(jobs, 2000)).toEqual([]);
  });
});
