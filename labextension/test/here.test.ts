import type { NotebookModel } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { OutputsHere } from '../src/outputs/here';
import { job } from './jobs';
import {
  codeCell,
  notebook,
  opened,
  printed,
  ran,
  run,
  shown
} from './notebooks';
import { FakeServer } from './server';

const MINE = ['mine 1\n', 'mine 2\n'];
const trans = nullTranslator.load('');
let server: FakeServer;
let model: NotebookModel;
let sent = notebook();

beforeEach(() => {
  vi.useFakeTimers();
  sent = notebook('job 1\n', 'job 2\n');
  server = new FakeServer({
    notebook: () => Promise.resolve({ content: sent, last: 0 })
  });
  model = opened(...MINE);
});

afterEach(() => vi.useRealTimers());

/** Let all be drawn. */
async function drawn(): Promise<void> {
  await vi.advanceTimersByTimeAsync(200);
}

async function here(
  id = 'a',
  earlier: OutputsHere | null = null
): Promise<OutputsHere> {
  const made = new OutputsHere(server.manager, trans, id, model, earlier);
  const sent = await made.read();
  earlier?.dispose();
  await Promise.all([made.start(sent), drawn()]);
  return made;
}

describe('a cell that is run here', () => {
  it('keeps what it shows where the earlier outputs are restored', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    const shows = await here();
    expect(shown(model)).toEqual(['job 1\n', 'job 2\n']);
    codeCell(model, 1).sharedModel.setSource('print(22)');
    await drawn();
    expect([shows.state('cell-2'), shows.edited]).toEqual(['edited', 1]);
    run(model, 1, '22\n');
    expect([shows.state('cell-2'), shows.edited]).toEqual([undefined, 0]);
    codeCell(model, 1).sharedModel.setSource('print(2)');
    await drawn();
    shows.restore();
    expect(shown(model)).toEqual(['mine 1\n', '22\n']);
    expect(codeCell(model, 1).executionCount).toBe(7);
  });

  it('keeps it also where it is moved', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    await here();
    run(model, 1, 'run here\n');
    model.sharedModel.moveCell(1, 0);
    await drawn();
    expect(shown(model)).toEqual(['run here\n', 'job 1\n']);
  });

  it('keeps it where the job comes to it', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'job 1\n'));
    const shows = await here();
    run(model, 1, 'run here\n');
    codeCell(model, 1).executionState = 'running';
    server.events.get('a')?.push(...ran(2, 'cell-2', 'job 2\n'));
    server.progress('a', 4);
    await drawn();
    expect(shown(model)).toEqual(['job 1\n', 'run here\n']);
    shows.restore();
    expect(shown(model)).toEqual(['mine 1\n', 'run here\n']);
    // it may run still
    expect(codeCell(model, 1).executionState).toBe('running');
  });

  it('keeps it where it runs already when the job is shown', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-2', 'job 2\n'));
    run(model, 1, 'run here\n');
    const shows = await here();
    codeCell(model, 1).outputs.add(printed('and on\n'));
    expect(shows.state('cell-2')).toBeUndefined();
    expect(codeCell(model, 1).executionState).toBe('running');
    shows.restore();
    expect(shown(model)).toEqual(['mine 1\n', 'run here\nand on\n']);
  });

  it('is another than one that an earlier job is at', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'job 1\n'));
    server.put(job('b', { state: 'COMPLETED' }));
    const first = await here();
    expect(codeCell(model, 0).executionState).toBe('running');
    run(model, 1, 'run here\n');
    sent = notebook('other 1\n', 'other 2\n');
    const second = await here('b', first);
    expect(shown(model)).toEqual(['other 1\n', 'run here\n']);
    second.restore();
    expect(shown(model)).toEqual(['mine 1\n', 'run here\n']);
  });

  it('shows the job’s once that is shown anew', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    (await here()).dispose();
    run(model, 1, 'run here\n');
    codeCell(model, 1).executionState = 'idle';
    const again = await here();
    expect(shown(model)).toEqual(['job 1\n', 'job 2\n']);
    again.restore();
    expect(shown(model)[1]).toBe('run here\n');
  });
});
