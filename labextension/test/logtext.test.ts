import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import {
  appended,
  beginning,
  LogReader,
  NO_TEXT,
  prepended,
  whole
} from '../src/jobs/logtext';
import type { ILogPage, ILogPart } from '../src/records';
import { RequestError } from '../src/request';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('grows at its end, and keeps what somebody asked for before it', () => {
  let log = appended(NO_TEXT, { first: 900, text: 'c\n' });
  log = appended(log, { first: 902, text: '10 %\r' });
  log = appended(log, { first: 905, text: '20 %\u001b[0m\n' });
  expect([whole(log), beginning(log)]).toEqual(['c\n20 %\n', 900]);
  log = prepended(log, { first: 0, text: 'a\nb\n' });
  expect([whole(log), beginning(log)]).toEqual(['a\nb\nc\n20 %\n', 0]);
});

it('lets go of the beginning of what grows long, and knows what that was', () => {
  const page = 'x'.repeat(60_000);
  let log = NO_TEXT;
  for (let first = 0; first < 20; first++) {
    log = appended(log, { first: first * 100, text: page });
  }
  expect(whole(log).length).toBeGreaterThanOrEqual(400_000);
  expect(whole(log).length).toBeLessThan(500_000);
  expect(beginning(log)).toBe(1300);
  log = prepended(log, { first: 1000, text: page });
  log = appended(log, { first: 2000, text: page });
  expect(beginning(log)).toBe(1000);
});

it('is read from its end, then on', async () => {
  const asked: ILogPart[] = [];
  const answers: Partial<ILogPage>[] = [
    { text: 'end', first: 70, next: 5 },
    { text: ' more', first: 80, next: 7, ended: true }
  ];
  const taken: string[] = [];
  let away = true;
  const reader = new LogReader(
    part => {
      asked.push(part);
      if (away) {
        return Promise.reject(new Error('away'));
      }
      const page = { more: false, ended: false, ...answers.shift() };
      return Promise.resolve(page as ILogPage);
    },
    page => taken.push(page.text),
    error => taken.push(error.message)
  );
  await vi.advanceTimersByTimeAsync(1);
  away = false;
  await vi.advanceTimersByTimeAsync(5000);
  await vi.advanceTimersByTimeAsync(5000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(taken).toEqual(['away', 'end', ' more']);
  const tail = { tail: 1 << 18 };
  expect(asked).toEqual([tail, tail, { offset: 5 }]);
  reader.dispose();
});

it('is not asked for any more where the job was deleted', async () => {
  let asked = 0;
  const taken: string[] = [];
  const reader = new LogReader(
    () => {
      asked += 1;
      const gone = new RequestError('there is no job a', 404, 'UnknownJob');
      return Promise.reject(gone);
    },
    page => taken.push(page.text),
    error => taken.push(error.message)
  );
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked, taken]).toEqual([1, ['there is no job a']]);
  reader.dispose();
});
