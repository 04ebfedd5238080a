import type { INotebookContent } from '@jupyterlab/nbformat';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { RequestError, asError } from '../../src/request';
import type {
  IEnvironment,
  IInspection,
  IOffers,
  IPreview,
  IRerun,
  ISubmission
} from '../../src/records';
import { type ISubmitOptions, SubmitModel } from '../../src/submit/model';
import type { IApi, Json } from '../../src/tokens';
import { JobSubject, NotebookSubject } from '../../src/submit/subject';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

const LOCAL = {
  name: 'local',
  executor: 'local',
  default: true,
  price: null,
  trouble: null
};
const DGX = {
  name: 'dgx',
  executor: 'slurm',
  default: false,
  price: 2,
  trouble: null
};
const INSPECTION: IInspection = {
  path: 'a.ipynb',
  name: 'a',
  source: 'disk',
  unsaved: false,
  kernel: 'python3',
  language: 'python',
  parameters: [
    {
      name: 'n',
      type: 'int',
      default: '3',
      value: 3,
      accepts: ['int'],
      help: ''
    }
  ],
  note: ''
};

let server: FakeServer;
let kept: Map<string | null, Json>;
let sent: { body: ISubmission; key: string }[];
let asked: string[];
let compared: ISubmission[];
let again: IRerun[];
let answer: Partial<IApi>;
let models: SubmitModel[];
/** What is on screen. */
let screen: INotebookContent | null;

function model(more: Partial<ISubmitOptions> = {}): SubmitModel {
  const { manager } = server;
  const made = new SubmitModel({
    manager,
    trans: nullTranslator.load(''),
    subject: new NotebookSubject(manager, 'a.ipynb', () => screen),
    ...more
  });
  models.push(made);
  made.start();
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  kept = new Map();
  sent = [];
  asked = [];
  compared = [];
  again = [];
  models = [];
  screen = null;
  answer = {};
  const api: Partial<IApi> = {
    targets: () => answer.targets?.() ?? Promise.resolve([LOCAL, DGX]),
    inspect: body => answer.inspect?.(body) ?? Promise.resolve(INSPECTION),
    inspectJob: () => Promise.resolve(INSPECTION),
    previewRerun: () => Promise.resolve({ problems: [], preview: null }),
    environmentOf: () => Promise.resolve(null),
    rerun: (id, changes) => {
      again.push(changes);
      return Promise.resolve(server.put(job(`${id}2`)));
    },
    durations: () => Promise.resolve([{ target: 'dgx', seconds: 9, jobs: 2 }]),
    environment: (body, resolve) => {
      compared.push(body);
      return answer.environment?.(body, resolve) ?? Promise.resolve(null);
    },
    preferences: path => Promise.resolve(kept.get(path) ?? null),
    setPreferences: (path, value) => {
      kept.set(path, value ?? {});
      return Promise.resolve();
    },
    offers: (target, wishes) => {
      asked.push(`${target} ${wishes?.gpus ?? 0}`);
      const offers = { offers: [], problems: [] } as IOffers;
      return answer.offers?.(target, wishes) ?? Promise.resolve(offers);
    },
    preview: body =>
      answer.preview?.(body) ??
      Promise.resolve({ problems: [], preview: null } as IPreview),
    submit: (body, key) => {
      sent.push({ body, key });
      return (
        answer.submit?.(body, key) ??
        Promise.resolve(server.put(job('a', { target: body.target ?? '' })))
      );
    }
  };
  server = new FakeServer(api);
});

afterEach(() => {
  models.forEach(one => one.dispose());
  server.manager.dispose();
  vi.useRealTimers();
});

describe('the dialog', () => {
  it('is whole before a slow target has answered', async () => {
    answer.offers = target =>
      target === 'dgx'
        ? new Promise(() => undefined)
        : Promise.resolve({ offers: [], problems: [] });
    const dialog = model();
    await settle();
    const rows = dialog.offers.rows.map(row => [row.target.name, row.asking]);
    expect(rows).toEqual([
      ['local', false],
      ['dgx', true]
    ]);
    expect(dialog.draft.target).toBe('local');
    expect((await dialog.submit())?.id).toBe('a');
  });

  it('asks once about what is typed quickly', async () => {
    const dialog = model();
    await settle();
    asked.length = 0;
    dialog.set({ gpus: '1' });
    dialog.set({ gpus: '12' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toEqual(['local 12', 'dgx 12']);
    // what does not change the hardware is no question to them
    dialog.set({ name: 'x' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.length).toBe(2);
  });

  it('says why there are no targets, and asks for them once more', async () => {
    answer.targets = () =>
      Promise.reject(new RequestError('c.Hybrid.targets is no mapping', 500));
    const dialog = model();
    await settle();
    expect(dialog.targetsProblem).toMatch('is no mapping');
    dialog.set({ gpus: '1' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(dialog.targetsProblem).toMatch('is no mapping');
    delete answer.targets;
    dialog.set({ gpus: '2' });
    await vi.advanceTimersByTimeAsync(1000);
    expect([dialog.targetsProblem, dialog.draft.target]).toEqual(['', 'local']);
    expect(asked).toEqual(['local 2', 'dgx 2']);
  });

  it('looks up how long it took, and compares packages with another image once', async () => {
    const dialog = model();
    await settle();
    expect(dialog.lookups.durations.get('dgx')?.seconds).toBe(9);
    await vi.advanceTimersByTimeAsync(1000);
    expect(compared.length).toBe(1);
    dialog.set({ image: 'torch' });
    dialog.set({ name: 'x', gpus: '1' });
    await vi.advanceTimersByTimeAsync(1000);
    dialog.set({ name: 'y' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(compared.map(({ image }) => image)).toEqual([null, 'torch']);
  });

  it('shows what would be added before its versions are known', async () => {
    let resolved: (found: IEnvironment) => void = () => undefined;
    const row = { name: 'tqdm', here: '', image: '', sentence: '' };
    const found: IEnvironment = {
      image: 'torch',
      known: true,
      rows: [{ ...row, kind: 'layer' }],
      notes: [],
      added: {}
    };
    answer.environment = (_, resolve) =>
      resolve
        ? new Promise(keep => {
            resolved = keep;
          })
        : Promise.resolve(found);
    const dialog = model();
    await vi.advanceTimersByTimeAsync(1000);
    expect(dialog.lookups.environment).toEqual(found);
    resolved({ ...found, added: { tqdm: '4.67' } });
    await settle();
    expect(dialog.lookups.environment?.added).toEqual({ tqdm: '4.67' });
  });
});

describe('choices of last time', () => {
  it('are those for this notebook, else the last target', async () => {
    kept.set(null, { version: 1, target: 'dgx' });
    const first = model();
    await settle();
    expect(first.draft.target).toBe('dgx');
    first.setParameter('n', '5');
    first.set({ time: '2h', target: 'local' });
    await first.submit();
    await settle();
    const second = model();
    await settle();
    expect(second.draft).toMatchObject({
      target: 'local',
      time: '2h',
      parameters: { n: '5' },
      name: ''
    });
    expect(second.touched).toBe(false);
  });

  it('do not replace what was typed before they were known', async () => {
    kept.set('a.ipynb', { version: 1, target: 'dgx', time: '1h', mem: '8G' });
    const dialog = model();
    dialog.set({ time: '3h' });
    await settle();
    expect(dialog.draft).toMatchObject({
      time: '3h',
      mem: '8G',
      target: 'dgx'
    });
  });

  it('are sent by who is quicker than the answers', async () => {
    kept.set('a.ipynb', { version: 1, target: 'dgx', parameters: { n: '5' } });
    let inspected: (found: IInspection) => void = () => undefined;
    answer.inspect = () =>
      new Promise(keep => {
        inspected = keep;
      });
    const dialog = model();
    const sending = dialog.submit();
    await settle();
    expect(sent).toEqual([]);
    inspected(INSPECTION);
    await sending;
    expect(sent[0].body).toMatchObject({
      target: 'dgx',
      parameter_texts: { n: '5' }
    });
    await settle();
    expect(kept.get('a.ipynb')).toMatchObject({ parameters: { n: '5' } });
  });

  it('are passed over where the target is configured no more', async () => {
    kept.set('a.ipynb', { version: 1, target: 'gone', mem: '8G' });
    const dialog = model();
    await settle();
    expect(dialog.draft).toMatchObject({ target: 'local', mem: '8G' });
  });
});

describe('a submit', () => {
  it('says at once that nobody answers, and keeps what is known for the next dialog', async () => {
    const dialog = model();
    await settle();
    dialog.setParameter('n', '7');
    const gone = (): Promise<never> =>
      Promise.reject(new RequestError('Failed to fetch', 0));
    answer.submit = answer.preview = answer.inspect = gone;
    const told: string[] = [];
    const sending = dialog.send(trouble => told.push(trouble));
    sending.catch((error: unknown) => dialog.refuse(asError(error)));
    await settle();
    expect(told).toEqual(['The Jupyter server does not answer; trying again…']);
    await vi.advanceTimersByTimeAsync(5000);
    dialog.start();
    await vi.advanceTimersByTimeAsync(5000);
    // one sentence, whoever found out, and the field of the parameter is still there
    expect(dialog.problems).toHaveLength(1);
    expect(dialog.problems[0].message).toMatch('does not answer. Nothing is');
    expect(dialog.parameters?.map(({ name }) => name)).toEqual(['n']);
    expect(dialog.draft.parameters).toEqual({ n: '7' });
  });

  it('sends what is on screen then, not what was when the dialog opened', async () => {
    screen = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };
    const dialog = model();
    await settle();
    const metadata = { edited: true };
    screen = { ...screen, metadata };
    await dialog.submit();
    expect(sent[0].body.content).toEqual(screen);
  });

  it('of a job runs what it executed again, with what is different', async () => {
    const old = {
      ...server.put(job('old', { parameters: { n: 3 }, target: 'dgx' })),
      commands: { cli: null, magic: null, python: null },
      env: { A: '1' }
    };
    const dialog = model({ subject: new JobSubject(server.manager, old) });
    await settle();
    expect(dialog.draft).toMatchObject({ target: 'dgx', env: 'A=1' });
    dialog.setExcluded('big.csv', true);
    dialog.set({ kernel: 'ir' });
    await dialog.submit();
    expect(again).toEqual([
      expect.objectContaining({ exclude: ['big.csv'], kernel: 'ir' })
    ]);
  });
});

describe('what comes of a submit', () => {
  it('shows refusals at their fields, in the words of the server', async () => {
    const message = "the parameter 'n' is an int";
    answer.preview = () =>
      Promise.resolve({
        problems: [{ field: 'parameters', message }],
        preview: null
      });
    answer.submit = () =>
      Promise.reject(new RequestError(message, 400, 'ParameterError'));
    const dialog = model();
    await settle();
    expect(dialog.problemsOf('parameters')).toHaveLength(1);
    expect(await dialog.submit()).toBeNull();
    expect(dialog.problems).toEqual([{ field: 'parameters', message }]);
    expect(dialog.submitting).toBe(false);
  });

  it('sends once more, with the same key, what nobody answered', async () => {
    let attempts = 0;
    answer.submit = () => {
      attempts += 1;
      return attempts < 3
        ? Promise.reject(new RequestError('Failed to fetch', 0))
        : Promise.resolve(server.put(job('a')));
    };
    const dialog = model();
    await settle();
    const job_ = dialog.submit();
    await vi.advanceTimersByTimeAsync(5000);
    expect((await job_)?.id).toBe('a');
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
    expect(sent).toHaveLength(3);
    dialog.set({ time: '1h' });
    void dialog.submit();
    await settle();
    expect(sent[3].key).not.toBe(sent[0].key);
  });

  it('says why the last attempt was refused until something is changed', async () => {
    const dialog = model();
    dialog.refuse(new RequestError('no', 400, 'ImageError'));
    await settle();
    await vi.advanceTimersByTimeAsync(1000);
    expect(dialog.problemsOf('image')).toEqual([
      { field: 'image', message: 'no' }
    ]);
    dialog.set({ image: 'other' });
    expect(dialog.problems).toEqual([]);
  });

  it('is done when the job is recorded, however long its place takes', async () => {
    answer.submit = () => new Promise(() => undefined);
    const dialog = model();
    await settle();
    const started = dialog.submit();
    await settle();
    // the same notebook to the same target, from the command line and from another tab
    server.put(job('b'));
    server.announce('b', 'new');
    server.put(job('bb', { submit_key: 'another' }));
    server.announce('bb', 'new');
    server.put(job('c', { state: 'CREATED', submit_key: sent[0].key }));
    server.announce('c', 'new');
    await settle();
    expect((await started)?.id).toBe('c');
  });
});
