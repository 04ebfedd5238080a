import { Widget } from '@lumino/widgets';
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { job } from './jobs';
import { notebook, opened, ran, shown } from './notebooks';
import { FakeServer } from './server';
import { drawn, MINE, View } from './views';

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

async function view(model = opened(...MINE)): Promise<View> {
  const made = new View(model, server, memory);
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
