import { nullTranslator } from '@jupyterlab/translation';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { SubmitModel } from '../../src/submit/model';
import { NotebookSubject } from '../../src/submit/subject';
import { Travelling } from '../../src/submit/travelling';
import type { Json } from '../../src/tokens';
import { FakeServer } from '../server';

let server: FakeServer;
let dialog: SubmitModel;
let root: Root;
let place: HTMLElement;
/** The choices of last time. */
let last: Json | null;
/** What the notebook reads. */
let reads: string[];

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  vi.useFakeTimers();
  last = null;
  reads = ['a', 'b', 'c', 'd'];
  server = new FakeServer({
    inspect: () => Promise.resolve({ parameters: [] } as never),
    durations: () => Promise.resolve([]),
    environment: () => Promise.resolve(null),
    preferences: () => Promise.resolve(last),
    preview: ({ exclude = [] }) => {
      const paths = reads.filter(path => !exclude.includes(path));
      const files = paths.map(path => ({ path, size: 1, why: '', new: 0 }));
      const sums = { count: files.length, more: 0, size: 1, new: 0 };
      const preview = { ...sums, files, refused: [], notes: [] };
      return Promise.resolve({ problems: [], preview: preview as never });
    }
  });
  place = document.createElement('div');
  document.body.append(place);
  root = createRoot(place);
});

afterEach(() => {
  act(() => root.unmount());
  place.remove();
  dialog.dispose();
  server.manager.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function open(): Promise<void> {
  const { manager } = server;
  dialog = new SubmitModel({
    manager,
    trans: nullTranslator.load(''),
    subject: new NotebookSubject(manager, 'a.ipynb', () => null)
  });
  const draw = (): void => root.render(<Travelling model={dialog} />);
  dialog.changed.connect(() => draw());
  dialog.start();
  await answered();
}

function answered(): Promise<void> {
  return act(async () => {
    await vi.advanceTimersByTimeAsync(1000);
  });
}

function boxes(): HTMLInputElement[] {
  return [...place.querySelectorAll<HTMLInputElement>('li input')];
}

/** The files as they are shown; in brackets those that stay. */
function shown(): string {
  const names = boxes().map(box => {
    const name = box.closest('label')?.textContent ?? '';
    return box.checked ? name : `(${name})`;
  });
  return names.join(' ');
}

it('leaves a file that is unticked, or ticked again, and the focus where they were', async () => {
  await open();
  expect(shown()).toBe('a b c d');
  const box = boxes()[2];
  box.focus();
  for (const now of ['a b (c) d', 'a b c d', 'a b (c) d']) {
    act(() => box.click());
    expect(shown()).toBe(now);
    await answered();
    expect(shown()).toBe(now);
    expect(document.activeElement).toBe(box);
  }
  act(() => boxes()[3].click());
  reads = ['a', 'aa', 'c', 'd'];
  await answered();
  expect(shown()).toBe('a aa (c) (d)');
});

it('shows first what stayed last time, where nobody has named it yet', async () => {
  last = { version: 1, exclude: ['d', 'x'] };
  await open();
  expect(shown()).toBe('(d) (x) a b c');
  const box = boxes()[0];
  box.focus();
  act(() => box.click());
  expect(shown()).toBe('d (x) a b c');
  await answered();
  expect(shown()).toBe('d (x) a b c');
  expect(document.activeElement).toBe(box);
});
