import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { act } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { LogView } from '../src/jobs/log';
import { job } from './jobs';
import { FakeServer } from './server';

let server: FakeServer;
let view: LogView;
/** What was printed since it was read last. */
let printed: string;

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  vi.useFakeTimers();
  printed = '';
  server = new FakeServer({
    log: () => {
      const page = { first: 0, next: 1, more: false, ended: false };
      const text = printed;
      printed = '';
      return Promise.resolve({ ...page, text });
    }
  });
  server.put(job('a'));
  view = new LogView(server.manager, 'a', nullTranslator.load(''));
  Widget.attach(view, document.body);
});

afterEach(() => {
  act(() => view.dispose());
  server.manager.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The log after the job has printed more. */
async function print(text: string): Promise<HTMLElement | null> {
  printed = text;
  await act(async () => {
    await vi.advanceTimersByTimeAsync(6000);
  });
  return view.node.querySelector('pre');
}

function selected(): string {
  return document.getSelection()?.toString() ?? '';
}

it('leaves what is selected selected while it grows', async () => {
  expect((await print(''))?.textContent).toBe('Nothing yet.');
  const log = await print('Error: copy me\n10 %');
  expect(log?.textContent).toBe('Error: copy me\n10 %');
  const text = log?.firstChild as Text;
  document.getSelection()?.setBaseAndExtent(text, 0, text, 14);
  expect(selected()).toBe('Error: copy me');
  await print('\r20 %\nmore');
  expect(log?.textContent).toBe('Error: copy me\n20 %\nmore');
  expect(selected()).toBe('Error: copy me');
  await print(' and more');
  expect(log?.textContent).toBe('Error: copy me\n20 %\nmore and more');
  expect(selected()).toBe('Error: copy me');
});
