import { Signal } from '@lumino/signaling';
import { act, type ReactElement } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { useSignal, useTargets, useTyped } from '../src/jobs/hooks';
import { type IKnown, useJob } from '../src/jobs/usejob';
import type { IJobDetail, ITarget } from '../src/records';
import { job } from './jobs';
import { FakeServer, settle } from './server';

/** Milliseconds after which React draws what it was told, in these tests. */
const STEP = 5;
let root: Root;

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  vi.useFakeTimers();
  root = createRoot(document.createElement('div'));
});

afterEach(() => {
  act(() => root.unmount());
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Let time pass, and React draw meanwhile. */
async function pass(milliseconds = 50): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += STEP) {
    await act(() => vi.advanceTimersByTimeAsync(STEP));
  }
}

function draw(element: ReactElement): Promise<void> {
  act(() => root.render(element));
  return pass();
}

describe('a field of a search', () => {
  /** What the list is asked for, as the panel has it. */
  const list = { text: '', changed: new Signal<object, void>({}) };
  const asked: string[] = [];
  let field: [string, (text: string) => void];

  function ask(text: string): void {
    list.text = text;
    asked.push(text);
    list.changed.emit();
  }

  function type(text: string): void {
    act(() => field[1](text));
  }

  function Field(): null {
    useSignal(list.changed);
    field = useTyped(list.text, ask, 200);
    return null;
  }

  beforeEach(async () => {
    list.text = '';
    asked.length = 0;
    await draw(<Field />);
  });

  it('asks when somebody stops typing', async () => {
    type('a');
    await pass(100);
    type('ab');
    await pass(150);
    expect(asked).toEqual([]);
    await pass(100);
    expect([field[0], asked]).toEqual(['ab', ['ab']]);
  });

  it('keeps a key that comes while it asks', async () => {
    type('ab');
    list.changed.connect(function once() {
      list.changed.disconnect(once);
      setTimeout(() => field[1]('abc'), 1);
    });
    await pass(1000);
    expect([field[0], asked]).toEqual(['abc', ['ab', 'abc']]);
  });

  it('is emptied from outside', async () => {
    type('ab');
    await pass(300);
    list.text = '';
    list.changed.emit();
    await pass(300);
    expect([field[0], asked]).toEqual(['', ['ab']]);
    type('ab');
    await pass(300);
    expect(asked).toEqual(['ab', 'ab']);
  });
});

describe('a job', () => {
  it('is not taken back by an answer that is older than the news', async () => {
    const answers: ((job: IJobDetail) => void)[] = [];
    const server = new FakeServer({
      job: () => new Promise(resolve => answers.push(resolve))
    });
    const commands = { cli: null, magic: null, python: null };
    const detail = (changes: object): IJobDetail => ({
      ...job('a', changes),
      ...{ commands, env: {} }
    });
    let seen: IKnown | undefined;
    function Job(): ReactElement | null {
      seen = useJob(server.manager, 'a');
      return null;
    }
    const answer = (at: number, changes: object): Promise<void> =>
      act(() => {
        answers[at](detail(changes));
        return settle();
      });
    await draw(<Job />);
    const ended = server.put(job('a', { state: 'COMPLETED', revision: 6 }));
    server.announce('a', 'changed');
    await answer(1, ended);
    expect(seen?.job?.state).toBe('COMPLETED');
    await answer(0, { state: 'RUNNING', revision: 5 });
    expect(seen?.job?.state).toBe('COMPLETED');
    server.manager.dispose();
  });
});

describe('targets', () => {
  it('are those that the server has now, also where it was away before', async () => {
    const server = new FakeServer();
    const names = (...all: string[]): ITarget[] =>
      all.map(name => ({
        ...{ name, executor: 'local', default: false },
        ...{ price: null, trouble: null }
      }));
    let seen: readonly string[] = [];
    function Targets(): ReactElement | null {
      seen = useTargets(server.manager);
      return null;
    }
    server.away = true;
    await draw(<Targets />);
    expect(seen).toEqual([]);
    server.away = false;
    for (const now of [['local'], ['local', 'dgx']]) {
      server.targets = names(...now);
      await act(() => server.manager.refreshTargets());
      await pass();
      expect(seen).toEqual(now);
    }
    server.manager.dispose();
  });
});
