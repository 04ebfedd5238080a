import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { RequestError } from '../../src/request';
import type {
  IInspection,
  IOffers,
  IPreview,
  ISubmission
} from '../../src/records';
import { type ISubmitOptions, SubmitModel } from '../../src/submit/model';
import type { IApi, Json } from '../../src/tokens';
import { job } from '../jobs';
import { FakeServer, settle } from '../server';

const LOCAL = { name: 'local', executor: 'local', default: true, price: null };
const DGX = { name: 'dgx', executor: 'slurm', default: false, price: 2 };
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
let answer: Partial<IApi>;
let models: SubmitModel[];

function model(more: Partial<ISubmitOptions> = {}): SubmitModel {
  const made = new SubmitModel({
    manager: server.manager,
    trans: nullTranslator.load(''),
    path: 'a.ipynb',
    content: null,
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
  models = [];
  answer = {};
  const api: Partial<IApi> = {
    targets: () => Promise.resolve([LOCAL, DGX]),
    inspect: () => Promise.resolve(INSPECTION),
    durations: () => Promise.resolve([{ target: 'dgx', seconds: 9, jobs: 2 }]),
    environment: body => {
      compared.push(body);
      return Promise.resolve(null);
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

  it('begins with the last choice for this notebook, else with the last target', async () => {
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

  it('keeps what was typed before the last choice was known', async () => {
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

  it('passes over a target that is configured no more', async () => {
    kept.set('a.ipynb', { version: 1, target: 'gone', mem: '8G' });
    const dialog = model();
    await settle();
    expect(dialog.draft).toMatchObject({ target: 'local', mem: '8G' });
  });
});

describe('a submit', () => {
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
    expect(sent[3].key).not.toBe(sent[0].key);
  });

  it('says why the last attempt was refused until something is changed', async () => {
    const dialog = model({
      refusal: new RequestError('no', 400, 'ImageError')
    });
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
    server.put(job('b', { path: 'other.ipynb' }));
    server.announce('b', 'new');
    server.put(job('c', { state: 'CREATED' }));
    server.announce('c', 'new');
    await settle();
    expect((await started)?.id).toBe('c');
  });
});
