import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { job } from './jobs';
import { notebook, opened, ran, run, shown } from './notebooks';
import { FakeServer } from './server';
import { drawn, MINE, View } from './views';

let server: FakeServer;
let memory = new Map<string, string>();

beforeEach(() => {
  vi.useFakeTimers();
  memory = new Map();
  const content = notebook('job 1\n', 'job 2\n');
  server = new FakeServer({
    notebook: () => Promise.resolve({ content, last: 0 })
  });
});

afterEach(() => vi.useRealTimers());

async function view(model = opened(...MINE)): Promise<View> {
  const made = new View(model, server, memory);
  await drawn();
  return made;
}

describe('a notebook that is opened again', () => {
  const opens = async (): Promise<string[]> => {
    const { model, close } = await view();
    const now = shown(model);
    close(true);
    return now;
  };

  it('shows no outputs of a job that was shown to its end', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    const { jobs, close } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    close(true);
    expect(await opens()).toEqual(MINE);
  });

  it('shows none where its job came to an end there', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'job 1\n'));
    const { jobs, model, close } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    server.put(job('a', { state: 'COMPLETED', revision: 2 }));
    server.events.get('a')?.push({ seq: 3, time: 1, kind: 'ended' });
    server.progress('a', 3);
    await drawn();
    expect(shown(model)).toEqual(['job 1\n', 'mine 2\n']);
    close(true);
    expect(await opens()).toEqual(MINE);
  });

  it('goes on with a job, and once shows what that has left', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'job 1\n'));
    const { jobs, close } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    close(true);
    expect(await opens()).toEqual(['job 1\n', 'mine 2\n']);
    server.put(job('a', { state: 'COMPLETED', revision: 2 }));
    expect(await opens()).toEqual(['job 1\n', 'job 2\n']);
    expect(await opens()).toEqual(MINE);
  });
});

describe('a cell that was run here', () => {
  /** A view of the notebook as it was saved, after a reload; where it is old, with cells of other ids. */
  const reloaded = async (
    { model, close }: View,
    renewed = false
  ): Promise<View> => {
    const content = model.toJSON();
    close(true);
    const cells = content.cells.map((cell, at) => ({
      ...cell,
      id: renewed ? `new-${at}` : cell['id']
    }));
    const again = opened();
    again.fromJSON({ ...content, cells });
    return view(again);
  };

  it('is the user’s also after reloads, until the job is shown anew', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'job 1\n'));
    const first = await view();
    await Promise.all([first.jobs.show('a'), drawn()]);
    run(first.model, 0, 'run here\n');
    const second = await reloaded(await reloaded(first));
    expect(second.jobs.here?.id).toBe('a');
    expect(shown(second.model)).toEqual(['run here\n', 'mine 2\n']);
    await Promise.all([second.jobs.show('a'), drawn()]);
    expect(shown(second.model)).toEqual(['job 1\n', 'mine 2\n']);
    const third = await reloaded(second);
    expect(shown(third.model)).toEqual(['job 1\n', 'mine 2\n']);
  });

  it('is the user’s where cells have other ids after a reload', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'job 1\n'));
    const first = await view();
    await Promise.all([first.jobs.show('a'), drawn()]);
    run(first.model, 0, 'run here\n');
    const second = await reloaded(first, true);
    expect(second.jobs.here?.id).toBe('a');
    expect(shown(second.model)).toEqual(['run here\n', 'mine 2\n']);
  });
});

describe('what is remembered over a reload', () => {
  it.each(['{', '[]', '[1]', '"a"', 'null'])('may be %s', async text => {
    memory.set('jupyter-hybrid-shown:a.ipynb', text);
    const { jobs, model } = await view();
    expect(jobs.here).toBeNull();
    expect(shown(model)).toEqual(MINE);
  });
});
