import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import {
  elapsed,
  errorLine,
  oneLiner,
  progress,
  shown,
  stateWord
} from '../src/jobs/wording';
import type { IExit, IJob } from '../src/records';
import { job as recorded } from './jobs';

const job = (rest: Partial<IJob>): IJob =>
  recorded('1', { cells: { done: 0, total: null, current: '' }, ...rest });

const trans = nullTranslator.load('jupyter_hybrid');

function exit(rest: Partial<IExit>): IExit {
  return {
    state: 'FAILED',
    cause: 'cell-error',
    message: '',
    cell_id: null,
    ename: null,
    evalue: null,
    traceback: [],
    ...rest
  };
}

describe('what is said of a job', () => {
  it('names states as people do, and a wish before it is fulfilled', () => {
    expect(stateWord(job({ state: 'PENDING' }), trans)).toBe('waiting');
    const wanted = job({ state: 'RUNNING', wanted: 'CANCELLED' });
    expect(stateWord(wanted, trans)).toBe('cancelling');
    const gone = job({ state: 'CANCELLED', wanted: 'CANCELLED', final: true });
    expect(stateWord(gone, trans)).toBe('cancelled');
  });

  it('counts from the start, before that from the submit, and stops at the end', () => {
    const waits = job({ created_at: 100 });
    expect(elapsed(waits, 130)).toBe(30);
    expect(elapsed({ ...waits, started_at: 120 }, 130)).toBe(10);
    expect(elapsed({ ...waits, started_at: 120, seconds: 7 }, 130)).toBe(7);
    const cancelled = { ...waits, finished_at: 110 };
    expect(elapsed(cancelled, 130)).toBe(10);
    // the browser's clock may be behind the server's
    expect(elapsed(waits, 90)).toBe(0);
  });

  it('knows how far it is once it knows how far there is to go', () => {
    const at = (done: number, total: number | null): unknown =>
      progress(job({ cells: { done, total, current: '' } }));
    expect(at(3, 7)).toEqual({ done: 3, total: 7 });
    expect(at(9, 7)).toEqual({ done: 7, total: 7 });
    expect(at(0, null)).toBeNull();
    expect(at(0, 0)).toBeNull();
  });

  it('has one line: the current cell, why it waits, or how it ended', () => {
    const cells = { done: 1, total: 2, current: 'train()' };
    expect(oneLiner(job({ state: 'RUNNING', cells }))).toBe('train()');
    const waits = job({ state: 'PENDING', reason: 'two jobs are before it' });
    expect(oneLiner(waits)).toBe('two jobs are before it');
    const failed = exit({ ename: 'ValueError', evalue: 'no such\nfile' });
    expect(oneLiner(job({ state: 'FAILED', exit: failed }))).toBe(
      'ValueError: no such'
    );
    expect(oneLiner(job({ state: 'COMPLETED', reason: 'done' }))).toBe(
      'a.ipynb'
    );
  });

  it('finds the first line of an error, wherever it is written', () => {
    const line = (rest: Partial<IExit>): string =>
      errorLine({ exit: exit(rest), reason: 'the place says no\nindeed' });
    expect(line({ ename: 'KeyError', evalue: '' })).toBe('KeyError');
    expect(line({ message: 'out of memory\nask for more' })).toBe(
      'out of memory'
    );
    expect(line({})).toBe('the place says no');
  });

  it('shows what is hostile as text on one line that ends', () => {
    expect(shown('<img src=x onerror=alert(1)>')).toBe(
      '<img src=x onerror=alert(1)>'
    );
    expect(shown('a\u202eb')).toBe('a\ufffdb');
    expect(shown('x'.repeat(100_000))).toHaveLength(301);
  });
});
