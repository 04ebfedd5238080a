import { nullTranslator } from '@jupyterlab/translation';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { act } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { JobsPanel } from '../src/jobs/panel';
import type { JobsManager } from '../src/manager';
import { job } from './jobs';
import { FakeServer } from './server';

let server: FakeServer;
let panel: JobsPanel;
let list: ReturnType<JobsManager['list']>;

async function pass(): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(1000);
  });
}

beforeEach(async () => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  vi.useFakeTimers();
  server = new FakeServer();
  server.put(job('a', { name: 'old' }));
  const { manager } = server;
  const make = manager.list.bind(manager);
  vi.spyOn(manager, 'list').mockImplementation((filter, page) => {
    list = make(filter, page);
    return list;
  });
  panel = new JobsPanel({
    manager,
    trans: nullTranslator.load(''),
    actions: {} as never,
    submit: null
  });
  Widget.attach(panel, document.body);
  await pass();
});

afterEach(() => {
  act(() => panel.dispose());
  server.manager.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function activate(): void {
  MessageLoop.sendMessage(panel, Widget.Msg.ActivateRequest);
}

async function filter(text: string): Promise<void> {
  list.setFilter({ text });
  await pass();
}

/** A submit is recorded. */
async function record(): Promise<void> {
  server.put(job('b', { name: 'new' }));
  server.announce('b', 'new');
  await pass();
  panel.choose('b', false);
  await pass();
}

it('shows a job that is recorded, also where it was looking for others', async () => {
  await filter('old');
  activate();
  await record();
  expect(list.filter).toEqual({});
});

it('leaves what somebody has looked for since', async () => {
  activate();
  await filter('old');
  await record();
  expect(list.filter).toEqual({ text: 'old' });
  // until somebody asks for the job
  panel.choose('b');
  expect(list.filter).toEqual({});
});
