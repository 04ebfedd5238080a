import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { showByBrowser } from '../src/notices/browser';
import { job } from './jobs';

/** What the browser shows, by tag: one with the tag of another takes its place. */
let shown: Map<string, string>;

class Shown {
  static permission = 'granted';
  onclick = null;

  constructor(text: string, { tag }: { tag: string }) {
    shown.set(tag, text);
  }
}

beforeEach(() => {
  shown = new Map();
  vi.stubGlobal('Notification', Shown);
  vi.spyOn(document, 'hasFocus').mockReturnValue(false);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it('tells the end of a job beside the news that it waits, in two windows once', () => {
  const open = (): void => undefined;
  showByBrowser({ job: job('a'), kind: 'waiting', text: 'waits' }, open);
  showByBrowser({ job: job('a'), kind: 'done', text: 'done' }, open);
  showByBrowser({ job: job('a'), kind: 'done', text: 'done' }, open);
  expect([...shown.values()]).toEqual(['waits', 'done']);
});
