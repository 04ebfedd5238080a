import { nullTranslator } from '@jupyterlab/translation';
import { beforeEach, describe, expect, it } from 'vitest';

import { Notices } from '../src/notices/notices';
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

  it('tell of each job once that it waits', () => {
    const waits = job('1', {
      ...{ name: 'train', state: 'PENDING', created_at: 0 },
      reason: 'no GPU is free'
    });
    const tell = (now: number): string[] =>
      notices.ofWaiting([waits, job('2')], 600, now).map(one => one.text);
    expect(tell(500)).toEqual([]);
    expect(tell(600)).toEqual([
      'train has waited for 10 min 00 s: no GPU is free'
    ]);
    expect(tell(700)).toEqual([]);
  });
});
