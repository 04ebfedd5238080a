import { nullTranslator } from '@jupyterlab/translation';
import { act, useState } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Rows } from '../src/jobs/rows';
import type { IJob } from '../src/records';
import type { IJobList } from '../src/tokens';
import { job } from './jobs';

let root: Root;
let place: HTMLElement;
let active: string | null;

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  place = document.createElement('div');
  document.body.append(place);
  root = createRoot(place);
});

afterEach(() => {
  act(() => root.unmount());
  place.remove();
  vi.unstubAllGlobals();
});

function Panel({ jobs }: { jobs: readonly IJob[] }): React.JSX.Element {
  const [chosen, choose] = useState<string | null>(null);
  active = chosen;
  return (
    <Rows
      list={{ need: () => undefined } as Partial<IJobList> as IJobList}
      jobs={jobs}
      total={jobs.length}
      trans={nullTranslator.load('')}
      actions={{} as never}
      active={chosen}
      setActive={choose}
    />
  );
}

function draw(names: string): void {
  const jobs = names.split('').map(id => job(id, { state: 'COMPLETED' }));
  act(() => root.render(<Panel jobs={jobs} />));
}

/** The job that is chosen after a key. */
function press(key: string): string | null {
  const grid = place.querySelector('[role=grid]');
  const event = new KeyboardEvent('keydown', { key, bubbles: true });
  act(() => void grid?.dispatchEvent(event));
  return active;
}

it('goes on from where the chosen job was when that has gone', () => {
  draw('abcdef');
  expect(press('End')).toBe('f');
  expect(press('ArrowUp')).toBe('e');
  expect(press('ArrowUp')).toBe('d');
  draw('abcef');
  expect(press('ArrowDown')).toBe('e');
  draw('abcf');
  expect(press('ArrowUp')).toBe('c');
  draw('ab');
  expect(press('ArrowDown')).toBe('b');
});

it('begins with the first job', () => {
  draw('abc');
  expect(press('ArrowDown')).toBe('a');
});
