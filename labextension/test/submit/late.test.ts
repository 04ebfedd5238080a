/** A dialog whose server is slow or away, and what is typed and edited meanwhile. */
import type { INotebookContent } from '@jupyterlab/nbformat';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { ISubmission, ITarget } from '../../src/records';
import { RequestError } from '../../src/request';
import { SubmitModel } from '../../src/submit/model';
import { NotebookSubject } from '../../src/submit/subject';
import type { IApi, Json } from '../../src/tokens';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

const TARGETS: ITarget[] = ['local', 'dgx'].map(name => ({
  name,
  executor: 'local',
  default: name === 'local',
  price: null,
  trouble: null
}));

let server: FakeServer;
let dialog: SubmitModel;
let answer: Partial<IApi>;
let sent: ISubmission[];
/** The choices of last time. */
let kept: Json | null;
/** What is on screen. */
let screen: INotebookContent | null;

function open(): void {
  const { manager } = server;
  dialog = new SubmitModel({
    manager,
    trans: nullTranslator.load(''),
    subject: new NotebookSubject(manager, 'a.ipynb', () => screen)
  });
  dialog.start();
}

beforeEach(() => {
  vi.useFakeTimers();
  kept = screen = null;
  sent = [];
  answer = {};
  server = new FakeServer({
    targets: () => answer.targets?.() ?? Promise.resolve(TARGETS),
    inspect: () =>
      Promise.resolve({
        path: 'a.ipynb',
        name: 'a',
        source: 'disk',
        unsaved: false,
        kernel: 'python3',
        language: 'python',
        parameters: [],
        note: ''
      }),
    durations: () => Promise.resolve([]),
    environment: () => Promise.resolve(null),
    preferences: path => Promise.resolve(path === null ? null : kept),
    setPreferences: () => Promise.resolve(),
    offers: () => Promise.resolve({ offers: [], problems: [] }),
    preview: () => Promise.resolve({ problems: [], preview: null }),
    submit: (body, key) => {
      sent.push(body);
      return answer.submit?.(body, key) ?? Promise.reject(new Error('?'));
    }
  });
});

afterEach(() => {
  dialog.dispose();
  server.manager.dispose();
  vi.useRealTimers();
});

describe('choices of last time', () => {
  it('do not replace what is typed while the targets are read', async () => {
    kept = { version: 1, target: 'dgx', gpus: '1', mem: '8G' };
    let read: (targets: ITarget[]) => void = () => undefined;
    answer.targets = () =>
      new Promise(keep => {
        read = keep;
      });
    open();
    await settle();
    dialog.set({ gpus: '8', name: 'mine' });
    read(TARGETS);
    await settle();
    expect(dialog.draft).toMatchObject({
      target: 'dgx',
      gpus: '8',
      mem: '8G',
      name: 'mine'
    });
  });
});

describe('a number that is none', () => {
  it('is told at its fields, and holds the submit back until it is mended', async () => {
    answer.submit = () => Promise.resolve(server.put(job('a')));
    open();
    await settle();
    dialog.set({ gpus: 'two', cpus: '4' });
    const message = 'GPUs: two is not a whole number';
    expect(dialog.problems).toEqual([{ field: 'resources', message }]);
    expect(await dialog.submit()).toBeNull();
    expect(dialog.problems).toEqual([{ field: 'resources', message }]);
    expect(sent).toEqual([]);
    dialog.set({ gpus: '\uff12' });
    expect(dialog.problems).toEqual([]);
    await dialog.submit();
    expect(sent[0].resources).toEqual({ gpus: 2, cpus: 4 });
  });

  it('that another version kept for the next time is no job either', async () => {
    kept = { version: 1, target: 'dgx', nodes: '1.5' };
    open();
    // quicker than the answers
    expect(await dialog.submit()).toBeNull();
    expect(dialog.problemsOf('resources')).toHaveLength(1);
    expect(sent).toEqual([]);
  });
});

describe('a submit that nobody answers', () => {
  const away = (): Promise<never> =>
    Promise.reject(new RequestError('Failed to fetch', 0));

  it('sends at each attempt what was on screen at the first', async () => {
    screen = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };
    open();
    await settle();
    answer.submit = away;
    const pressed = dialog.submit();
    // before and after the first request
    screen = { ...screen, metadata: { later: true } };
    await settle();
    screen = null;
    answer.submit = () => Promise.resolve(server.put(job('a')));
    await vi.advanceTimersByTimeAsync(2000);
    expect((await pressed)?.id).toBe('a');
    expect(sent.map(({ content }) => content?.metadata)).toEqual([{}, {}]);
  });

  it('is tried no more once its dialog is closed', async () => {
    open();
    await settle();
    answer.submit = away;
    const pressed = dialog.submit();
    await settle();
    dialog.dispose();
    answer.submit = () => Promise.resolve(server.put(job('a')));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await pressed).toBeNull();
    expect(sent).toHaveLength(1);
  });

  it('is not sent at all where its dialog is closed before', async () => {
    let read: (targets: ITarget[]) => void = () => undefined;
    answer.targets = () =>
      new Promise(keep => {
        read = keep;
      });
    open();
    const pressed = dialog.submit();
    await settle();
    dialog.dispose();
    read(TARGETS);
    expect(await pressed).toBeNull();
    expect(sent).toEqual([]);
  });
});
