import type { NotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Panel, Widget } from '@lumino/widgets';
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type IMemory, NotebookJobs } from '../src/outputs/notebookjobs';
import { job } from './jobs';
import { notebook, opened, ran, shown } from './notebooks';
import { FakeServer } from './server';

const MINE = ['mine 1\n', 'mine 2\n'];
/** Timers alone: React waits for messages of the browser's. */
const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'Date'] as const;
let server: FakeServer;
let sent = notebook();
/** Answers the next time a job's notebook is asked for, in the place of `sent`. */
let next: (() => Promise<{ content: typeof sent; last: number }>) | null = null;
let memory = new Map<string, string>();

beforeEach(() => {
  vi.useFakeTimers({ toFake: [...TIMERS] });
  memory = new Map();
  sent = notebook('job 1\n', 'job 2\n');
  next = null;
  server = new FakeServer({
    notebook: () => {
      const answer = next?.() ?? Promise.resolve({ content: sent, last: 0 });
      next = null;
      return answer;
    }
  });
});

afterEach(() => vi.useRealTimers());

/** A view of a notebook, and the jobs in it. */
class View {
  readonly jobs: NotebookJobs;

  constructor(readonly model: NotebookModel) {
    const cells = [...model.cells].map(cell => ({
      model: cell,
      toggleClass: () => false
    }));
    const pathChanged = new Signal<object, string>({});
    const context = { model, ready: Promise.resolve(), pathChanged };
    const content = { model, widgets: cells };
    const disposed = new Signal<object, void>({});
    const { contentHeader } = this;
    const panel = { context, content, contentHeader, disposed } as unknown;
    this.jobs = new NotebookJobs(panel as NotebookPanel, {
      manager: server.manager,
      trans: nullTranslator.load(''),
      asked: null,
      state: remembers(),
      path: () => this._path,
      open: () => undefined,
      cancel: () => undefined
    });
    /** As JupyterLab does: what is ours hears of it last. */
    this.close = last => {
      for (const cell of cells) {
        Object.assign(cell, { model: null });
      }
      if (last) {
        model.dispose();
      }
      disposed.emit();
    };
    this.rename = path => {
      this._path = path;
      pathChanged.emit(path);
    };
  }

  /** What stands above the notebook. */
  readonly contentHeader = new Panel();
  readonly close: (last: boolean) => void;
  readonly rename: (path: string) => void;
  private _path = 'a.ipynb';
}

function remembers(): IMemory {
  return {
    fetch: key => Promise.resolve(memory.get(key)),
    save: (key, value) => Promise.resolve(memory.set(key, value)),
    remove: key => Promise.resolve(memory.delete(key))
  };
}

/** Let all be drawn. */
async function drawn(): Promise<void> {
  await vi.advanceTimersByTimeAsync(200);
}

async function view(model = opened(...MINE)): Promise<View> {
  const made = new View(model);
  await drawn();
  return made;
}

describe('earlier outputs', () => {
  it('are the user’s also where other jobs were shown since', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    server.put(job('b', { state: 'COMPLETED' }));
    const { jobs, model } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    await Promise.all([jobs.show('a'), drawn()]);
    sent = notebook('', 'other 2\n');
    await Promise.all([jobs.show('b'), drawn()]);
    expect(shown(model)).toEqual(['job 1\n', 'other 2\n']);
    jobs.restore();
    expect(shown(model)).toEqual(MINE);
  });
});

describe('a job that is deleted', () => {
  beforeEach(() => vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true));
  afterEach(() => vi.unstubAllGlobals());

  const bar = async ({ contentHeader }: View): Promise<HTMLElement> => {
    await act(() => {
      Widget.attach(contentHeader, document.body);
      return drawn();
    });
    return contentHeader.node;
  };
  const buttons = (node: HTMLElement): string[] =>
    [...node.querySelectorAll('button')].map(
      ({ title, textContent }) => title || textContent
    );

  it('leaves a way back to the earlier outputs, in each view', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    const first = await view();
    await Promise.all([first.jobs.show('a'), drawn()]);
    const left = await bar(first);
    expect(left.textContent).toContain('job a · local · done');
    await act(() => Promise.all([server.manager.delete('a'), drawn()]));
    expect(left.textContent).toContain('job a · local · This job was deleted.');
    expect(buttons(left)).toEqual(['Restore earlier outputs', 'Close']);
    const second = await bar(await view(first.model));
    expect(second.textContent).toContain('This job was deleted.');
    expect(buttons(second)).toEqual(buttons(left));
    await act(() => {
      second.querySelector('button')?.click();
      return drawn();
    });
    expect(shown(first.model)).toEqual(MINE);
    expect(first.jobs.barJob).toBeNull();
  });
});

describe('a job that cannot be shown', () => {
  const away = (): void => {
    next = () => Promise.reject(new Error('its place is away'));
  };

  it('leaves the one that is shown where it is', async () => {
    server.put(job('a'));
    server.put(job('b', { state: 'COMPLETED' }));
    server.events.set('a', ran(0, 'cell-1', 'one\n'));
    const { jobs, model } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    away();
    await Promise.all([jobs.show('b'), drawn()]);
    expect([jobs.here?.id, jobs.barJob]).toEqual(['a', 'a']);
    server.events.get('a')?.push(...ran(2, 'cell-1', 'two\n'));
    server.progress('a', 4);
    await drawn();
    expect(shown(model)).toEqual(['one\ntwo\n', 'mine 2\n']);
    jobs.restore();
    expect(shown(model)).toEqual(MINE);
  });

  it('is not asked for once more after a reload', async () => {
    server.put(job('a'));
    const { jobs, close } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    close(true);
    expect([...memory.keys()]).toEqual(['jupyter-hybrid-shown:a.ipynb']);
    away();
    const again = await view();
    expect(again.jobs.here).toBeNull();
    expect([...memory]).toEqual([]);
  });
});

describe('a job whose notebook is waited for', () => {
  const answers = (): (() => void) => {
    let answer = (): void => undefined;
    const answered = new Promise<void>(resolve => {
      answer = resolve;
    });
    next = () => answered.then(() => ({ content: sent, last: 0 }));
    return answer;
  };

  it('is the one that is shown, unless something else is wished for', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    server.put(job('b', { state: 'COMPLETED' }));
    const { jobs, model } = await view();
    const late = answers();
    const first = jobs.show('a');
    await drawn();
    expect([jobs.shown, jobs.barJob, jobs.here]).toEqual(['a', 'a', null]);
    sent = notebook('', 'other 2\n');
    await Promise.all([jobs.show('b'), drawn()]);
    late();
    await Promise.all([first, drawn()]);
    expect(shown(model)).toEqual(['mine 1\n', 'other 2\n']);
    const later = answers();
    const second = jobs.show('a');
    await drawn();
    expect(jobs.shown).toBe('b');
    jobs.restore();
    later();
    await Promise.all([second, drawn()]);
    expect(jobs.shown).toBeNull();
    expect(shown(model)).toEqual(MINE);
  });

  it('is read once where its notebook has two views', async () => {
    server.put(job('a'));
    const { jobs, close } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    close(true);
    const later = answers();
    const asked = server.asked.length;
    const model = opened(...MINE);
    const [first, second] = [await view(model), await view(model)];
    later();
    await drawn();
    expect(first.jobs.here?.id).toBe('a');
    expect(second.jobs.here).toBe(first.jobs.here);
    const read = server.asked.slice(asked).filter(what => what === 'job a');
    expect(read.length).toBe(1);
  });
});

describe('two views of a notebook', () => {
  it('show the same, each line once, until both are closed', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'one\n'));
    const first = await view();
    await Promise.all([first.jobs.show('a'), drawn()]);
    const second = await view(first.model);
    expect(second.jobs.barJob).toBe('a');
    expect(second.jobs.here).toBe(first.jobs.here);
    const goOn = async (...lines: string[]): Promise<string[]> => {
      const events = server.events.get('a') ?? [];
      events.push(...ran(events.length, 'cell-1', ...lines));
      server.progress('a', events.length);
      await drawn();
      return shown(first.model);
    };
    expect(await goOn('two\n')).toEqual(['one\ntwo\n', 'mine 2\n']);
    first.close(false);
    expect(await goOn('three\n')).toEqual(['one\ntwo\nthree\n', 'mine 2\n']);
    second.jobs.restore();
    expect(shown(first.model)).toEqual(MINE);
    expect([...memory]).toEqual([]);
  });
});

describe('a view that is closed', () => {
  it('hears no more of a new name', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'one\n'));
    const first = await view();
    const second = await view(first.model);
    await Promise.all([first.jobs.show('a'), drawn()]);
    second.close(false);
    first.jobs.restore();
    const asked = server.asked.length;
    second.rename('b.ipynb');
    await drawn();
    expect([...memory]).toEqual([]);
    expect(server.asked.length).toBe(asked);
  });
});

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

describe('a notebook that is closed', () => {
  // where a signal's handler fails, that is only written there
  const failed = vi.spyOn(console, 'error');
  afterEach(() => {
    expect(failed).not.toHaveBeenCalled();
    failed.mockClear();
  });

  it('lets go of a job that it shows', async () => {
    server.put(job('a'));
    server.events.set('a', ran(0, 'cell-1', 'one\n'));
    const { close, jobs } = await view();
    await Promise.all([jobs.show('a'), drawn()]);
    close(true);
    expect(jobs.here).toBeNull();
  });

  it('waits for no job’s outputs', async () => {
    server.put(job('a', { state: 'COMPLETED' }));
    const { close, jobs } = await view();
    const showing = jobs.show('a');
    close(true);
    await Promise.all([showing, drawn()]);
  });
});
