import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { IInspection, IOffer, ISubmission } from '../../src/records';
import { SubmitModel } from '../../src/submit/model';
import { NotebookSubject } from '../../src/submit/subject';
import type { Json } from '../../src/tokens';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

const TARGET = {
  name: 'k8s',
  executor: 'kubernetes',
  default: true,
  price: null,
  trouble: null
};
const INSPECTION: IInspection = {
  ...{ path: 'a.ipynb', name: 'a', source: 'disk', unsaved: false },
  ...{ kernel: 'python3', language: 'python', parameters: [], note: '' }
};

let server: FakeServer;
let sent: ISubmission[];
/** The choices of last time. */
let last: Json | null;
/** What the target has. */
let kinds: string[];
let dialog: SubmitModel;

function offer(gpu_type: string): IOffer {
  return {
    ...{ target: 'k8s', hardware: '', cpus: 1, mem: 1, gpus: 1, gpu_type },
    ...{ free_now: true, wait: null, price: null, note: '' }
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  last = null;
  kinds = ['V100', 'A100'];
  server = new FakeServer({
    targets: () => Promise.resolve([TARGET]),
    inspect: () => Promise.resolve(INSPECTION),
    durations: () => Promise.resolve([]),
    environment: () => Promise.resolve(null),
    preferences: path => Promise.resolve(path === null ? null : last),
    setPreferences: () => Promise.resolve(),
    offers: () => Promise.resolve({ offers: kinds.map(offer), problems: [] }),
    preview: () => Promise.resolve({ problems: [], preview: null }),
    submit: body => {
      sent.push(body);
      return Promise.resolve(server.put(job('a', { target: 'k8s' })));
    }
  });
});

afterEach(() => {
  dialog.dispose();
  server.manager.dispose();
  vi.useRealTimers();
});

function open(): void {
  const { manager } = server;
  dialog = new SubmitModel({
    manager,
    trans: nullTranslator.load(''),
    subject: new NotebookSubject(manager, 'a.ipynb', () => null)
  });
  dialog.start();
}

/** Choose a row. */
async function choose(): Promise<void> {
  dialog.set({ gpus: '1' });
  await vi.advanceTimersByTimeAsync(1000);
  dialog.set({ target: 'k8s', offered: 'A100' });
}

/** Type, while the target has these. */
async function type(typed: object, has: string[]): Promise<void> {
  kinds = has;
  dialog.set(typed);
  await vi.advanceTimersByTimeAsync(1000);
}

/** The kind of GPU that is sent. */
async function kind(): Promise<string | null | undefined> {
  await dialog.submit();
  return sent.at(-1)?.resources?.gpu_type;
}

it('is that of the row while the target has it', async () => {
  open();
  await choose();
  expect(await kind()).toBe('A100');
  // nor is it forgotten where all is too much for a moment
  await type({ gpus: '16' }, []);
  await type({ gpus: '1' }, ['V100', 'A100']);
  expect(await kind()).toBe('A100');
});

it('is forgotten where the target has others', async () => {
  open();
  await choose();
  await type({ mem: '900G' }, ['V100']);
  expect(await kind()).toBeUndefined();
});

it('is forgotten at once where another is typed', async () => {
  open();
  await choose();
  dialog.set({ gpuType: 'v100' });
  expect(await kind()).toBe('v100');
});

it('of last time is that of a row, or none', async () => {
  last = { version: 1, target: 'k8s', gpus: '1', offered: 'H100' };
  open();
  await vi.advanceTimersByTimeAsync(1000);
  expect(dialog.draft.gpus).toBe('1');
  expect(await kind()).toBeUndefined();
});

it('of last time waits for the target’s answer', async () => {
  last = { version: 1, target: 'k8s', gpus: '1', offered: 'A100' };
  open();
  await settle();
  expect(await kind()).toBe('A100');
});
